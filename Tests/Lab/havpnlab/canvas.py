# SPDX-License-Identifier: Apache-2.0
"""What every picture here is drawn with: a few shapes, one palette, SVG at the end."""

from xml.sax.saxutils import escape

INK, SOFT, LINE, PAPER = "#1b2733", "#5d6b78", "#d8dee4", "#ffffff"
WIDTH = 1120
_FONT = "font-family='Inter, Helvetica, Arial, sans-serif'"


class Canvas:
    """A page of fixed width; `height` is set when all is drawn."""

    def __init__(self):
        self.parts, self.height = [], 0

    def text(self, x, y, words, size=13, color=INK, anchor="start", weight="400"):
        self.parts.append(f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' fill='{color}' "
                          f"text-anchor='{anchor}' font-weight='{weight}'>{escape(words)}</text>")

    def box(self, x, y, width, height, color, *, radius=0, opacity=1.0):
        self.parts.append(f"<rect x='{x:.2f}' y='{y:.2f}' width='{max(width, 0.4):.2f}' height='{height:.2f}' "
                          f"fill='{color}' rx='{radius}' opacity='{opacity}'/>")

    def line(self, x1, y1, x2, y2, color=LINE, width=1.0, dash=""):
        dashes = f" stroke-dasharray='{dash}'" if dash else ""
        self.parts.append(f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='{color}' "
                          f"stroke-width='{width}'{dashes}/>")

    def document(self):
        body = "\n".join(self.parts)
        return (f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {self.height}' "
                f"width='{WIDTH}' height='{self.height}' {_FONT}>\n"
                f"<rect width='100%' height='100%' fill='{PAPER}'/>\n{body}\n</svg>\n")
