# SPDX-License-Identifier: Apache-2.0
"""Bars on a logarithmic axis, in SVG: who is silent for how long."""

import math

from .canvas import INK, LINE, SOFT, WIDTH, Canvas

_COLORS = {"havpnd": "#1f9d8a", "keepalived": "#8a94a6"}
_LEFT, _RIGHT, _ROW = 330, 150, 24


def draw_bars(title, bars):
    """`bars` is [(row, daemon, median ms, worst ms)] in the order to draw; returns the SVG."""
    canvas = Canvas()
    canvas.text(40, 46, title, 22, weight="600")
    canvas.text(40, 70, "Milliseconds on a logarithmic axis: the bar is the median, the thin line reaches to the worst.", 13, SOFT)
    most = max(10.0, max(worst for *_, worst in bars))
    decades = max(1, math.ceil(math.log10(most)))
    scale = (WIDTH - _LEFT - _RIGHT) / decades

    def at(milliseconds):
        return _LEFT + scale * math.log10(max(1.0, milliseconds))

    y, before = 110, None
    bottom = y + sum(_ROW + (14 if index and bars[index - 1][0] != bar[0] else 0) for index, bar in enumerate(bars))
    for decade in range(decades + 1):
        x = at(10 ** decade)
        canvas.line(x, y - 14, x, bottom, LINE)
        canvas.text(x, y - 20, f"{10 ** decade:,} ms", 11, SOFT, "middle")
    for row, daemon, median, worst in bars:
        if before not in (None, row):
            y += 14
        if row != before:
            canvas.text(40, y + 12, row, 13, INK)
        canvas.box(_LEFT, y, max(at(median) - _LEFT, 1), 16, _COLORS[daemon], radius=2)
        canvas.line(at(median), y + 8, at(worst), y + 8, _COLORS[daemon], 2)
        canvas.text(at(worst) + 8, y + 12, f"{daemon} {median:.0f} / {worst:.0f}", 12, SOFT)
        y += _ROW
        before = row
    canvas.height = y + 30
    return canvas.document()
