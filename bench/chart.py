"""Charts as SVG, drawn by hand: bars beside each other, and curves over axes that grow by tens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import ceil, floor, log10
from pathlib import Path

_WIDTH = 760
_ROW = 30
_NAMES = 170
_PANEL = (360, 250)
_MARGIN = (58, 40, 18, 40)
"""Of a panel: left, top, right, bottom."""
_OURS, _OTHERS, _LINE, _TEXT = "#2563eb", "#9ca3af", "#d1d5db", "#111827"


def bars(path: Path, title: str, figures: Mapping[str, float], *, unit: str, ours: str) -> None:
    """Draw a bar for each figure, the smallest on top; `ours` stands out."""
    rows = sorted(figures.items(), key=lambda each: each[1])
    longest = max(figures.values())
    parts = [_text(12, 26, title, size=15, weight="bold")]
    for number, (name, figure) in enumerate(rows):
        top = 44 + number * _ROW
        length = max(1.0, figure / longest * (_WIDTH - _NAMES - 110))
        parts.append(_text(_NAMES - 8, top + 15, name, anchor="end"))
        parts.append(
            f'<rect x="{_NAMES}" y="{top}" width="{length:.1f}" height="{_ROW - 10}" rx="2" '
            f'fill="{_OURS if name == ours else _OTHERS}"/>'
        )
        parts.append(_text(_NAMES + length + 6, top + 15, f"{figure:.3g} {unit}"))
    _write(path, _WIDTH, 54 + len(rows) * _ROW, parts)


def curves(path: Path, title: str, series: Mapping[str, Sequence[tuple[float, float]]], *, unit: str) -> None:
    """Draw a panel for each series, both axes logarithmic; the dashed line is what linear growth would be.

    A series holds (size, figure), the sizes in order.
    """
    width, height = _PANEL
    columns = 2
    parts = [_text(12, 26, title, size=15, weight="bold")]
    for number, (name, points) in enumerate(series.items()):
        x, y = number % columns * width, 36 + number // columns * height
        parts.append(f'<g transform="translate({x},{y})">{"".join(_panel(name, points, unit))}</g>')
    _write(path, columns * width, 46 + ceil(len(series) / columns) * height, parts)


def _panel(name: str, points: Sequence[tuple[float, float]], unit: str) -> list[str]:
    width, height = _PANEL
    left, top, right, bottom = _MARGIN
    across, up = (
        _Scale([each[0] for each in points], left, width - right),
        _Scale([each[1] for each in points], height - bottom, top),
    )
    parts = [_text(left, top - 14, f"{name}: {unit}", weight="bold")]
    for value in across.tens():
        at = across(value)
        parts.append(f'<line x1="{at:.1f}" y1="{top}" x2="{at:.1f}" y2="{height - bottom}" stroke="{_LINE}"/>')
        parts.append(_text(at, height - bottom + 16, f"{value:g}", anchor="middle"))
    for value in up.tens():
        at = up(value)
        parts.append(f'<line x1="{left}" y1="{at:.1f}" x2="{width - right}" y2="{at:.1f}" stroke="{_LINE}"/>')
        parts.append(_text(left - 6, at + 4, f"{value:g}", anchor="end"))
    (last_size, last) = points[-1]
    linear = [(size, last * size / last_size) for size, _ in points]
    inside = [(size, figure) for size, figure in linear if figure >= up.low]
    parts.append(_path(inside, across, up, _OTHERS, "4 4"))
    parts.append(_path(points, across, up, _OURS, "none"))
    parts += [
        f'<circle cx="{across(size):.1f}" cy="{up(figure):.1f}" r="3" fill="{_OURS}"/>' for size, figure in points
    ]
    return parts


class _Scale:
    """From figures to places, by their logarithms."""

    def __init__(self, values: Sequence[float], begin: float, end: float) -> None:
        self._first, self._last = floor(log10(min(values))), ceil(log10(max(values)))
        self._last += self._first == self._last
        self._begin, self._end = begin, end
        self.low = 10.0**self._first

    def __call__(self, value: float) -> float:
        share = (log10(value) - self._first) / (self._last - self._first)
        return self._begin + share * (self._end - self._begin)

    def tens(self) -> list[float]:
        return [10.0**power for power in range(self._first, self._last + 1)]


def _path(points: Sequence[tuple[float, float]], across: _Scale, up: _Scale, colour: str, dashes: str) -> str:
    steps = " L".join(f"{across(size):.1f} {up(figure):.1f}" for size, figure in points)
    return f'<path d="M{steps}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}"/>'


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 12, weight: str = "normal") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" '
        f'fill="{_TEXT}">{escape(text)}</text>'
    )


def _write(path: Path, width: int, height: int, parts: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    body = "\n".join(parts)
    path.write_text(
        f'{head} font-family="sans-serif">\n<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'
    )
