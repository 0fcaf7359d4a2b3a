"""Plots as SVG, by hand: log-log lines, one panel for each figure. No plotting library is worth its weight for this."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

COLOURS = {"ottla": "#0b6e4f", "kafka": "#b5651d", "limit": "#666666"}
NAMES = {"ottla": "Ottla", "kafka": "Apache Kafka", "limit": "physical limit"}
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 380, 260, 56, 40, 30


@dataclass
class Series:
    """One line."""

    name: str
    x: list[float]
    y: list[float]


def _decades(low: float, high: float) -> tuple[int, int]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return first, max(last, first + 1)


def _tick(value: float) -> str:
    for bound, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= bound:
            return f"{value / bound:g}{unit}"
    return f"{value:g}"


def _panel(title: str, axis: str, lines: list[Series], at: int) -> str:
    xs = [x for s in lines for x in s.x if x > 0]
    ys = [y for s in lines for y in s.y if y > 0]
    if not xs or not ys:
        return ""
    (x0, x1), (y0, y1) = _decades(min(xs), max(xs)), _decades(min(ys), max(ys))

    def px(x: float) -> float:
        return at + LEFT + (math.log10(x) - x0) / (x1 - x0) * (WIDTH - LEFT - 16)

    def py(y: float) -> float:
        return HEIGHT - BOTTOM - (math.log10(y) - y0) / (y1 - y0) * (HEIGHT - BOTTOM - TOP)

    parts = [f'<text x="{at + WIDTH / 2}" y="18" class="t">{escape(title)}</text>']
    parts.append(f'<text x="{at + WIDTH / 2}" y="{HEIGHT - 6}" class="a">{escape(axis)}</text>')
    for e in range(x0, x1 + 1):
        parts.append(f'<line x1="{px(10**e):.1f}" x2="{px(10**e):.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" class="g"/>')
        parts.append(f'<text x="{px(10**e):.1f}" y="{HEIGHT - BOTTOM + 14}" class="a">{_tick(10.0**e)}</text>')
    for e in range(y0, y1 + 1):
        parts.append(
            f'<line x1="{at + LEFT}" x2="{at + WIDTH - 16}" y1="{py(10**e):.1f}" y2="{py(10**e):.1f}" class="g"/>'
        )
        parts.append(f'<text x="{at + LEFT - 6}" y="{py(10**e) + 4:.1f}" class="l">{_tick(10.0**e)}</text>')
    for number, line in enumerate(lines):
        colour = COLOURS[line.name]
        points = [(px(x), py(y)) for x, y in zip(line.x, line.y, strict=True) if x > 0 and y > 0]
        parts.append(
            f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
        parts.append(
            f'<text x="{at + LEFT + 8}" y="{TOP + 14 + 14 * number}" fill="{colour}" class="n">{NAMES[line.name]}</text>'
        )
    return "\n".join(parts)


def svg(panels: dict[str, list[Series]], axis: str) -> str:
    """One panel per figure, side by side."""
    body = "\n".join(_panel(title, axis, lines, i * WIDTH) for i, (title, lines) in enumerate(panels.items()))
    style = (
        "text{font:12px sans-serif}.t{text-anchor:middle;font-weight:bold}.a{text-anchor:middle;fill:#444}"
        ".l{text-anchor:end;fill:#444}.g{stroke:#ddd}"
    )
    width = WIDTH * len(panels)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}" width="{width}" height="{HEIGHT}">'
        f'<style>{style}</style><rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'
    )
