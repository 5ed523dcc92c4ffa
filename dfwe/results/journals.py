"""Copy the journals of a study's searches from the store into its run folder."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from dfwe.io.files import replacing
from dfwe.stages.merge import MergeStage


def copy_journals(
    merges: Mapping[str, MergeStage], *, headline: str | None, files: Sequence[str], folder: Path
) -> None:
    """Copy each merge's files, under their names in the store for the headline's merge, else with the merge's.

    `trials.jsonl` and `trials_<merge>.jsonl`, and so on.
    """
    for name, stage in merges.items():
        entry = stage.result(stage.family.context.store)
        suffix = "" if name == headline else f"_{name}"
        for file in files:
            path = Path(file)
            with replacing(folder / f"{path.stem}{suffix}{path.suffix}") as copy:
                shutil.copyfile(entry.file(file), copy)
