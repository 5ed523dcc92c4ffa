"""The learning curves of a study's trainings, from its results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dfwe.report.figures.curves import Curve
from dfwe.report.names import display_name, expert_name

_STAGES = {"train": "trained on its tasks", "finetune": "fine-tuned on the target"}


def curves_of(results: Mapping[str, Any]) -> Iterator[Curve]:
    """Yield the curve of every training that was scored on dev, in the order in which they were made."""
    titles = {row["name"]: str(row["title"]) for row in results.get("rows", ()) if row.get("title")}
    for found in results.get("curves") or ():
        epochs = found["epochs"]
        target, own = (tuple(epoch.get(key) for epoch in epochs) for key in ("target", "own"))
        if {*target, *own} - {None}:  # pre-training has no dev split
            title, stage = _words(found)
            title = titles.get(found["name"], title)  # of models with heads
            yield Curve(title, stage, target, () if set(own) == {None} else own, int(found["best_epoch"]))


def _words(found: Mapping[str, Any]) -> tuple[str, str]:
    """The training's name and what it is in the study; what starts from the parent has a name of its own."""
    name, stage = str(found["name"]), _STAGES.get(found["part"])
    if stage is None:
        return display_name(name, kind="baseline"), "trained from the parent"
    return expert_name(name), stage
