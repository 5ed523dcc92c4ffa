"""Draw confusion matrices: gold labels, and the answers of a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int
from matplotlib.figure import Figure

from dfwe.report.figures.style import INK, new_figure, short, styled

MOST = 12  # labels that a picture has room for; the rarest become one
OTHER, NO_LABEL = "other labels", "no label"


def count_confusions(
    gold: Sequence[str], *, answers: Sequence[str], labels: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...], Int[np.ndarray, "gold answers"]]:
    """Return names of the rows (gold), of the columns (answers), and counts of answers by gold label.

    The labels are in the task's order; beyond `MOST` the rarest in the gold answers are one row and one column.
    Answers that are not a label have the last column.
    """
    often = Counter(gold)
    common = set(sorted(labels, key=lambda label: -often[label])[: MOST if len(labels) <= MOST else MOST - 1])
    rows = tuple(label for label in labels if label in common) + ((OTHER,) if len(labels) > MOST else ())
    all_labels = set(labels)
    named = [_name(answer, common=common, all_labels=all_labels) for answer in answers]
    columns = rows + ((NO_LABEL,) if NO_LABEL in named else ())
    counts = np.zeros((len(rows), len(columns)), dtype=np.int64)
    for right, answer in zip(gold, named, strict=True):
        counts[rows.index(_name(right, common=common, all_labels=all_labels)), columns.index(answer)] += 1
    return rows, columns, counts


@styled
def draw_confusion(rows: Sequence[str], *, columns: Sequence[str], counts: Int[np.ndarray, "gold answers"]) -> Figure:
    """Draw shares of a row as shades and instances as numbers; right answers lie on the diagonal."""
    figure, axes = new_figure(1.5 + 0.31 * len(rows))
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in zip(*np.nonzero(counts), strict=True):
        colour = "white" if shares[row, column] > 0.55 else "black"
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=colour, fontsize=9)
    axes.set_xticks(range(len(columns)), [short(name, most=16) for name in columns], rotation=45, ha="right")
    axes.set_yticks(range(len(rows)), [short(name, most=16) for name in rows])
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.set_xlabel("answer")
    axes.set_ylabel("gold")
    axes.spines[["left", "bottom"]].set_color(INK)
    return figure


def _name(label: str, *, common: set[str], all_labels: set[str]) -> str:
    if label in common:
        return label
    return OTHER if label in all_labels else NO_LABEL
