"""Draw docs/images/overview.svg: experts, a real search on the simplex, the merged model.

python docs/draw_overview.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dfwe.search.optimizers.nevergrad import NevergradSearch
from dfwe.search.space import Space

OUT = Path(__file__).parent / "images" / "overview.svg"
EXPERTS = ("target", "source A", "source B")
BEST = np.array([0.55, 0.33, 0.12])  # of the drawn surface
TRIALS = 24
LEFT, RIGHT, TOP = (358.0, 238.0), (562.0, 238.0), (460.0, 62.0)  # corners of the simplex
STYLE = """
    text { font: 15px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328; }
    .title { font-weight: 600; }
    .small { font-size: 13px; fill: #59636e; }
    .box { fill: #eef4fb; stroke: #2a6fb0; stroke-width: 1.5; }
    .merged { fill: #fdf0e3; stroke: #b85c00; stroke-width: 2; }
    .line { fill: none; stroke: #59636e; stroke-width: 1.5; }
    .head { fill: #59636e; }
    .simplex { fill: none; stroke: #59636e; stroke-width: 1.5; }
    .trial { fill: #2a6fb0; }
    .kept { fill: #b85c00; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .small { fill: #9da7b1; }
      .box { fill: #12263a; stroke: #6cb2f0; }
      .merged { fill: #33220f; stroke: #f0a050; }
      .line, .simplex { stroke: #9da7b1; }
      .head { fill: #9da7b1; }
      .trial { fill: #6cb2f0; }
      .kept { fill: #f0a050; }
    }
"""


def main() -> None:
    """Write the picture."""
    OUT.write_text(picture(), encoding="utf8")


def picture() -> str:
    """Return the picture as SVG; the same each time."""
    points = search_points()
    best = min(points, key=loss)
    parts = [
        *_box(10, 124, 88, 52, "parent", "box"),
        *(part for row, name in enumerate(EXPERTS) for part in _expert(row, name)),
        _text(460, 28, "search the coefficients", "title"),
        _text(476, 292, "score each mixture on dev", "small"),
        f'<polygon class="simplex" points="{" ".join(f"{x:.0f},{y:.0f}" for x, y in (LEFT, RIGHT, TOP))}"/>',
        *(_dot(point, 3.5, "trial") for point in points if point is not best),
        _dot(best, 7, "kept"),
        _text(348, 258, "A", "small"),
        _text(572, 258, "B", "small"),
        _text(484, 62, "target", "small", anchor="start"),
        _text(217, 28, "experts", "title"),
        _text(217, 292, "train, then fine-tune on the target", "small"),
        *_arrow(278, 150, 366, 150),
        *_arrow(554, 150, 626, 150),
        *_box(634, 112, 156, 76, "merged model", "merged"),
        _text(712, 168, "one model, one pass", "small"),
        _text(712, 218, "compared with a", "small"),
        _text(712, 235, "baseline trained as long", "small"),
    ]
    label = "Experts of one parent are merged with coefficients that a search on the simplex finds."
    body = "\n  ".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 304" role="img" aria-label="{label}">\n'
        f"  <style>{STYLE}  </style>\n  {body}\n</svg>\n"
    )


def loss(point: np.ndarray) -> float:
    """Return how far a mixture is from the best one."""
    return float(np.sum((point - BEST) ** 2))


def search_points() -> list[np.ndarray]:
    """Return the mixtures that Nelder-Mead tries, from the uniform one on."""
    space = Space(("target", "a", "b"))
    search = NevergradSearch(space, optimizer="UnitNelderMead", seed=0, budget=TRIALS, step=1.0, adaptive=False)
    points = [np.full(3, 1 / 3)]
    while len(points) < TRIALS and (asked := search.ask()) is not None:
        mixture = space.at(asked).as_array()
        search.tell(asked, loss=loss(mixture))
        points.append(mixture)
    search.close()
    return points


def _expert(row: int, name: str) -> list[str]:
    """Return an expert's box and the arrow from the parent to it."""
    y = 44 + 80 * row
    return [*_box(158, y, 118, 52, name, "box"), *_arrow(100, 150 + 6 * (row - 1), 152, y + 26)]


def _box(x: int, y: int, width: int, height: int, name: str, style: str) -> list[str]:
    middle = y + (height - 18) / 2 + 14 - (8 if style == "merged" else 0)
    return [
        f'<rect class="{style}" x="{x}" y="{y}" width="{width}" height="{height}" rx="8"/>',
        _text(x + width / 2, middle, name, "title"),
    ]


def _arrow(x: float, y: float, to_x: float, to_y: float) -> list[str]:
    """Return a straight arrow."""
    along = np.array([to_x - x, to_y - y], dtype=float)
    along /= np.linalg.norm(along)
    across = np.array([-along[1], along[0]])
    end = np.array([to_x, to_y])
    corners = [end, end - 9 * along + 4.5 * across, end - 9 * along - 4.5 * across]
    stop = end - 8 * along
    return [
        f'<path class="line" d="M{x:.1f} {y:.1f}L{stop[0]:.1f} {stop[1]:.1f}"/>',
        f'<polygon class="head" points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in corners)}"/>',
    ]


def _dot(mixture: np.ndarray, radius: float, style: str) -> str:
    corners = np.array([TOP, LEFT, RIGHT])  # of the target and both sources
    x, y = mixture @ corners
    return f'<circle class="{style}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}"/>'


def _text(x: float, y: float, words: str, style: str, *, anchor: str = "middle") -> str:
    return f'<text class="{style}" x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{words}</text>'


if __name__ == "__main__":
    main()
