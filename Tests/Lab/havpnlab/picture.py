# SPDX-License-Identifier: Apache-2.0
"""The picture of the demonstration: every ping of every run on one axis of time, in SVG."""

from .canvas import INK, LINE, SOFT, WIDTH, Canvas

_ANSWERED, _LOST, _SEED, _MARK = "#1f9d8a", "#d6455d", "#b9c3cc", "#3556a8"
_LEFT, _RIGHT = 190, 40


def draw(runs, seed):
    """`runs` is [(title, Leg)], `seed` {title: lost pings of the seed's own run or None}; returns the SVG."""
    canvas = Canvas()
    canvas.text(40, 46, "One tunnel, two gateways: r3 loses its inside link", 22, weight="600")
    canvas.text(40, 70, "Every ping from r6 to r2, one each 10 ms. Time is counted from the moment the role had to "
                "move.", 13, SOFT)
    _legend(canvas, 96)
    top = _overview(canvas, runs, 128)
    top = _close_up(canvas, runs, top + 34)
    canvas.height = _bars(canvas, runs, seed, top + 34) + 30
    return canvas.document()


def _legend(canvas, y):
    x = 40
    for color, words in ((_ANSWERED, "answered"), (_LOST, "lost"), (_MARK, "event"),
                         (_SEED, "Cisco IOS routers")):
        canvas.box(x, y - 10, 12, 12, color, radius=2)
        canvas.text(x + 18, y, words, 12, SOFT)
        x += 38 + 7 * len(words)


def _spans(leg, start, stop):
    """[(from, to, answered)] of consecutive pings with one fate, in seconds from the event."""
    spans = []
    for echo in leg.watch.echoes:
        moment = echo.sent - leg.at
        if moment < start or moment >= stop:
            continue
        fate = echo.answered is not None
        if spans and spans[-1][2] == fate:
            spans[-1][1] = moment + 0.01
        else:
            spans.append([spans[-1][1] if spans else moment, moment + 0.01, fate])
    return spans


def _lane(canvas, leg, y, height, start, stop):
    scale = (WIDTH - _LEFT - _RIGHT) / (stop - start)
    for begin, end, answered in _spans(leg, start, stop):
        canvas.box(_LEFT + (begin - start) * scale, y, (end - begin) * scale, height,
                   _ANSWERED if answered else _LOST, opacity=0.9 if answered else 1.0)


def _axis(canvas, y, start, stop, step, unit):
    scale = (WIDTH - _LEFT - _RIGHT) / (stop - start)
    value = step * round(start / step)
    while value <= stop + 1e-9:
        if value >= start - 1e-9:
            x = _LEFT + (value - start) * scale
            canvas.line(x, y, x, y + 5, SOFT)
            label = f"{value:g} s" if unit == "s" else f"{value * 1000:.0f} ms"
            canvas.text(x, y + 19, label, 11, SOFT, "middle")
        value += step


def _overview(canvas, runs, y):
    longest = max([leg.outage / 1000 for _, leg in runs] + [3])
    start, stop = -2.0, max(6.0, longest + 3)
    canvas.text(40, y + 4, "The whole outage", 15, weight="600")
    y += 20
    for title, leg in runs:
        canvas.text(40, y + 17, title, 13)
        canvas.text(40, y + 33, _duration(leg.outage), 12, SOFT)
        _lane(canvas, leg, y, 38, start, stop)
        y += 50
    zero = _LEFT - start * (WIDTH - _LEFT - _RIGHT) / (stop - start)
    canvas.line(zero, y - 50 * len(runs) - 6, zero, y - 4, _MARK, 1.5, "4 3")
    step = next(step for step in (1, 2, 5, 10, 20, 60) if (stop - start) / step <= 16)
    _axis(canvas, y - 6, start, stop, step, "s")
    return y + 20


def _close_up(canvas, runs, y):
    legs = [(title, leg) for title, leg in runs if "stateful" in title.lower()]
    if not legs:
        return y
    longest = max([leg.outage / 1000 for _, leg in legs] + [0.5])
    start, stop = -0.1 * longest, longest * 1.2
    canvas.text(40, y + 4, "The stateful runs, close up", 15, weight="600")
    y += 22
    for title, leg in legs:
        canvas.text(40, y + 17, title, 13)
        canvas.text(40, y + 33, _duration(leg.outage), 12, SOFT)
        _lane(canvas, leg, y, 38, start, stop)
        y = _events(canvas, leg, y + 38, start, stop) + 14
    step = next(step for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10) if (stop - start) / step <= 14)
    _axis(canvas, y - 4, start, stop, step, "ms" if stop < 3 else "s")
    return y + 22


def _events(canvas, leg, y, start, stop):
    scale = (WIDTH - _LEFT - _RIGHT) / (stop - start)
    events = [("address at " + leg.new, leg.address), ("first ESP of " + leg.new, leg.first_esp),
              ("r2's route points to " + leg.new, leg.route)]
    # The last event is named in the first row: no line crosses the words of an earlier one.
    shown = sorted((event for event in events if event[1] is not None and start <= event[1] / 1000 <= stop),
                   key=lambda event: -event[1])
    for row, (words, milliseconds) in enumerate(shown):
        x = _LEFT + (milliseconds / 1000 - start) * scale
        base = y + 14 + 16 * row
        canvas.line(x, y - 38, x, base - 9, _MARK, 1.2)
        toward = "start" if x < WIDTH - 300 else "end"
        canvas.text(x + (4 if toward == "start" else -4), base, f"{words}: {milliseconds:.0f} ms", 11, _MARK, toward)
    return y + 16 * len(shown)


def _bars(canvas, runs, seed, y):
    canvas.text(40, y + 4, "Lost pings, counted as IOS counts them (each lost one costs 2 s)", 15, weight="600")
    y += 18
    rows = []
    for title, leg in runs:
        if seed.get(title) is not None:
            rows.append((title, seed[title], _SEED, "Cisco IOS"))
        rows.append((title if seed.get(title) is None else "", leg.lost_as_seed, _LOST, "havpn"))
    scale = (WIDTH - _LEFT - _RIGHT - 120) / max([row[1] for row in rows] + [1])
    for title, value, color, whose in rows:
        canvas.text(40, y + 14, title, 13)
        canvas.box(_LEFT, y + 2, value * scale, 15, color, radius=2)
        canvas.text(_LEFT + value * scale + 8, y + 14, f"{value}  {whose}", 12, SOFT)
        y += 22
    return y


def _duration(milliseconds):
    if milliseconds <= 0:
        return "no outage"
    return f"{milliseconds:.0f} ms" if milliseconds < 3000 else f"{milliseconds / 1000:.1f} s"
