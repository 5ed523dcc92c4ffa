"""Whether a change leaves seeded results as they are, to the bit: record before it, compare after it.

    python benchmarks/same_results.py record before.json [--full]
    python benchmarks/same_results.py compare before.json [--full]

Runs the default command, a small zoo of merge methods, "Cuts and Stitches" on toy sentences and a sweep, each from an
empty store: with short trainings (minutes), or with --full as they are (an hour). Compared are the scores and
coefficients of every row, and the sha256 of all weights and answers in the store, whatever they are called there.
Needs the same machine and the same number of threads. Ends with 1 where something differs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_STUDIES = {
    "default": ["+target=meld", "merge=nelder_mead"],
    "zoo": ["experiment=merge_zoo", "+target=meld"],
    "heads": ["experiment=cuts_and_stitches"],
    "sweep": ["-m", "+target=meld", "+sweep=source_triples", "subset.number=0,7"],
}
_SHORT_TEXT = ["trainer.train.epochs=1", "trainer.finetune.epochs=1", "model.pretrain.fit.epochs=1"]
_ROWS = [f"data.generator.rows.{task}.train=200" for task in ("sentiment", "paraphrase", "similarity", "inference")]
_SHORT_HEADS = [*_ROWS, "trainer.train.epochs=1", "trainer.finetune.epochs=1", "multitask.models.snli.fit.epochs=1"]
_SHORT = {
    "default": [*_SHORT_TEXT, "merge.search.budget=8"],
    "zoo": [*_SHORT_TEXT, "zoo.budget=4"],
    "heads": _SHORT_HEADS,
    "sweep": [*_SHORT_TEXT, "merge.search.budget=4"],
}
_WEIGHTS_AND_ANSWERS = (".safetensors", "predictions.json")


def run(name: str, *, full: bool) -> dict[str, Any]:
    """Return the rows and digests of one study."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        where = [f"paths.store={folder}/store", f"hydra.run.dir={folder}/run", f"hydra.sweep.dir={folder}/run"]
        options = [*_STUDIES[name], *([] if full else _SHORT[name]), *where, "report=false", "export=false"]
        subprocess.run([sys.executable, "-m", "dfwe.run", *options], check=True, stdout=subprocess.DEVNULL)
        files = sorted(folder.glob("run/**/results.json"))
        rows = [row for file in files for row in rows_of(json.loads(file.read_text()))]
        return {"rows": rows, "files": dict(sorted(digests_of(folder / "store").items()))}


def rows_of(results: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield name, scores and coefficients of every row."""
    for row in results["models"]:
        yield {key: row.get(key) for key in ("name", "dev", "test", "coefficients")}


def digests_of(store: Path) -> Counter[str]:
    """Return how often each file of weights or answers is in the store, by its sha256."""
    cards = [json.loads(path.read_text()) for path in store.glob("*/card.json")]
    files = [item for card in cards for item in card["files"].items()]
    return Counter(file["sha256"] for name, file in files if name.endswith(_WEIGHTS_AND_ANSWERS))


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Yield one line per row that is missing, new or another, and one for files that are."""
    for position, (old, new) in enumerate(zip(before["rows"], after["rows"], strict=False)):
        if old != new:
            yield f"row {position}: {old} -> {new}"
    if len(before["rows"]) != len(after["rows"]):
        yield f"{len(before['rows'])} rows -> {len(after['rows'])}"
    gone = Counter(before["files"]) - Counter(after["files"])
    if gone:
        yield f"{gone.total()} of {Counter(before['files']).total()} files of weights and answers are others"


def main() -> None:
    """Records, or compares and exits with 1 where something differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["record", "compare"])
    parser.add_argument("file", type=Path)
    parser.add_argument("--full", action="store_true", help="trainings as long as they are by default")
    parser.add_argument("--only", choices=list(_STUDIES), nargs="+", default=list(_STUDIES))
    options = parser.parse_args()
    found = {}
    for name in options.only:
        found[name] = run(name, full=options.full)
        print(f"{name}: {len(found[name]['rows'])} rows, {sum(found[name]['files'].values())} files", flush=True)
    if options.command == "record":
        options.file.write_text(json.dumps(found, indent=1))
        return
    before = json.loads(options.file.read_text())
    lines = [f"{name}: {line}" for name in options.only for line in differences(before[name], found[name])]
    print("\n".join(lines) or "the same to the bit")
    sys.exit(bool(lines))


if __name__ == "__main__":
    main()
