"""Bar charts as SVG, one for each scenario and measure."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from statistics import median

from benchmarks.report import Results

_WIDTH, _ROW, _LEFT, _RIGHT = 640, 26, 150, 90
_OURS, _THEIRS, _RANGE = "#0f766e", "#94a3b8", "#334155"


def write(folder: Path, results: Results) -> None:
    """Write `<scenario>-<measure>.svg` files."""
    for scenario, rounds in results.items():
        measures = dict.fromkeys(name for each in rounds.values() for name in each)
        for measure in measures:
            values = {who: each[measure] for who, each in rounds.items() if measure in each}
            name = f"{scenario}-{measure}".replace("/", "-per-").replace(" ", "-")
            text = _chart(f"{scenario}: {measure}, median and range", values)
            (folder / f"{name}.svg").write_text(text, encoding="utf-8")


def _chart(title: str, values: Mapping[str, Sequence[float]]) -> str:
    height = _ROW * (len(values) + 1) + 12
    scale = (_WIDTH - _LEFT - _RIGHT) / (max(max(each) for each in values.values()) or 1)
    rows = [f'<text x="8" y="18" font-weight="bold">{escape(title)}</text>']
    for position, (who, each) in enumerate(values.items(), 1):
        rows += _row(position * _ROW + 4, who, each, scale)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="13">'
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>'
    )
    return "\n".join([head, *rows, "</svg>", ""])


def _row(y: int, who: str, values: Sequence[float], scale: float) -> list[str]:
    middle, low, high = (_LEFT + f(values) * scale for f in (median, min, max))
    colour = _OURS if who.startswith("taskq") else _THEIRS
    return [
        f'<text x="{_LEFT - 8}" y="{y + 14}" text-anchor="end">{escape(who)}</text>',
        f'<rect x="{_LEFT}" y="{y}" width="{middle - _LEFT:.1f}" height="18" fill="{colour}"/>',
        f'<path d="M{low:.1f} {y + 9}H{high:.1f}" stroke="{_RANGE}" stroke-width="2"/>',
        f'<text x="{max(middle, high) + 6:.1f}" y="{y + 14}">{median(values):,.1f}</text>',
    ]
