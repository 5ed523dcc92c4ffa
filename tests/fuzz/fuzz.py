"""Damaged files for every reader of what others wrote: anything but a DfweError is a failure.

    python tests/fuzz/fuzz.py --num 20000 --seed 0          # all readers in turn
    python tests/fuzz/fuzz.py --num 2000 --reader recipe

Prints how many inputs were tried, how many failed, and each failing place once, with the input that found it.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from changes import changed
from readers import READERS, Files, Reader

from dfwe.errors import DfweError

PATIENCE = 60  # seconds; a reader that takes longer hangs


@dataclass
class Found:
    """What came of the inputs: their number, how many were refused or read, and the failures by place."""

    num: int = 0
    num_refused: int = 0
    num_failed: int = 0
    places: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [
            f"{self.num} inputs: {self.num_refused} refused, {self.num_failed} failed at {len(self.places)} places"
        ]
        return "\n".join([*lines, *(f"- {place}\n    {example}" for place, example in self.places.items())])


def fuzz(readers: Sequence[Reader], *, num: int, seed: int, folder: Path) -> Found:
    """Give the readers `num` damaged inputs in all, in turn; the same seed gives the same.

    Raises:
        DfweError: a reader refuses the good files, so that damage to them would try nothing.
    """
    found = Found()
    logging.disable(logging.CRITICAL)
    try:
        for reader in readers:
            if reader.complete:
                _read(reader, files=reader.files(), folder=folder / reader.name / "good")
            share = max(1, round(num * reader.weight / sum(each.weight for each in readers)))
            for number in range(share):
                _try(reader, number=number, seed=seed, folder=folder / reader.name / str(number), found=found)
    finally:
        logging.disable(logging.NOTSET)
    return found


def _try(reader: Reader, *, number: int, seed: int, folder: Path, found: Found) -> None:
    draw = random.Random(f"{seed} {reader.name} {number}")
    files = dict(reader.files())
    name = draw.choice([name for name in files if not reader.damaged or name in reader.damaged])
    files[name] = changed(files[name], draw=draw)
    found.num += 1
    try:
        with _patience():
            _read(reader, files=files, folder=folder)
    except DfweError as error:
        found.num_refused += 1
        if not str(error).strip():
            _failed(found, f"{reader.name}: an error without words", content=files[name])
    except (Exception, TimeoutError) as error:
        _failed(found, f"{reader.name}: {_place(error)}", content=files[name])


def _read(reader: Reader, *, files: Files, folder: Path) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        reader.read(folder)


def _failed(found: Found, place: str, *, content: bytes) -> None:
    found.num_failed += 1
    shown = repr(content if len(content) < 300 else content[:150] + b" ... " + content[-150:])
    found.places.setdefault(place, shown)


def _place(error: BaseException) -> str:
    """Where in dfwe the error came from, and what it is; the words may differ from input to input."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/dfwe/" in frame.filename]
    where = f"{frames[-1].filename.split('/dfwe/')[-1]}:{frames[-1].lineno}" if frames else "outside"
    return f"{where} {type(error).__name__}: {str(error)[:100]!r}" if not frames else f"{where} {type(error).__name__}"


@contextlib.contextmanager
def _patience() -> Iterator[None]:
    def give_up(*_: object) -> None:
        raise TimeoutError(f"no end after {PATIENCE} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def main() -> int:
    """Run the command; 1 where a reader failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reader", choices=[reader.name for reader in READERS], action="append")
    arguments = parser.parse_args()
    readers = [reader for reader in READERS if not arguments.reader or reader.name in arguments.reader]
    failed = 0
    for reader in readers:
        begun = time.perf_counter()
        num = round(arguments.num * reader.weight / sum(each.weight for each in readers))
        with tempfile.TemporaryDirectory() as folder:
            found = fuzz([reader], num=num, seed=arguments.seed, folder=Path(folder))
        print(f"{reader.name}, {time.perf_counter() - begun:.0f} s: {found}", flush=True)
        failed += found.num_failed
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
