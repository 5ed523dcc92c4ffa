"""Faults, on a toy study: `python tests/faults/harness.py kills --num 30` and the like; exit code 1 where one is found.

Several, as in `kills=3 damage=4 processes`, are compared with the same undisturbed run.

kills      kill -9 at random moments and before random operations on files, three a study; then it must end as an
           unkilled one
damage     a random file of the store cut, or a byte of it flipped, after a whole run or a killed one: it ends as
           without, or says in one line which file it is
disk       a store on a file system that is too small: one line says so, and the study goes on once there is room
processes  four processes on one store: every stage is made once, and they find the same
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from toy_study import FAILED, STUDIES, Toy, composed, ended

KILLS_A_STUDY = 3


@dataclass(frozen=True)
class Whole:
    """What an undisturbed study finds, its seconds, its operations on files."""

    results: dict[str, object]
    seconds: float
    operations: int


def main() -> int:
    arguments = _arguments()
    if "disk" in dict(arguments.faults) and "DFWE_MAY_MOUNT" not in os.environ:
        os.environ["DFWE_MAY_MOUNT"] = "1"
        return subprocess.run(["unshare", "-rm", sys.executable, *sys.argv]).returncode
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        whole, found = _whole(Path(folder), arguments), []
        for name, num in arguments.faults:
            found += FAULTS[name](Path(folder), arguments, whole=whole, num=num or arguments.num)
    for line in found:
        print(f"FOUND {line}", flush=True)
    return 1 if found else 0


def kills(folder: Path, arguments: argparse.Namespace, *, whole: Whole, num: int) -> list[str]:
    """The studies that did not end as an unkilled one."""
    generator, found, number, end = random.Random(arguments.seed), [], 0, time.monotonic() + 60 * arguments.minutes
    while number < num and time.monotonic() < end:
        toy = Toy(folder / f"killed_{number}", arguments.study)
        attempts = [_kill(toy, generator, whole=whole) for _ in range(KILLS_A_STUDY)]
        moments = [moment for moment, code in attempts if code == -9]
        number += len(moments)
        print(f"{number} of {num} kills: {', '.join(moments)}", flush=True)
        found += [f"{moment} ended with {code}" for moment, code in attempts if code not in (0, -9)]
        found += [f"{moments}: {what}" for what in _differences(toy, whole.results)]
    return found if number >= num else [*found, f"only {number} kills in {arguments.minutes} minutes"]


def damage(folder: Path, arguments: argparse.Namespace, *, whole: Whole, num: int) -> list[str]:
    """The damages after which a study neither ended as without them nor said which file is damaged."""
    generator, found, end = random.Random(arguments.seed), [], time.monotonic() + 60 * arguments.minutes
    kept = Toy(folder / "kept", arguments.study)
    for number in range(num):
        if time.monotonic() > end:
            return [*found, f"only {number} damages in {arguments.minutes} minutes"]
        if number % 3 == 2:  # the unfinished results of a killed study
            kept = Toy(folder / f"damaged_{number}", arguments.study)
            kept.end(kill_before=generator.randrange(whole.operations // 4, whole.operations))
        elif kept.end() not in (0, FAILED):
            found.append(f"a run before damage: {kept.said()[-2000:]}")
        what = _damage(kept, generator)
        print(f"{number + 1} of {num} damages: {what}", flush=True)
        code = kept.end()
        if code == FAILED and Path(what.split()[-1]).name in kept.said().splitlines()[-1]:
            kept = Toy(folder / f"after_{number}", arguments.study)
            continue
        found += [f"{what}: {difference}" for difference in _differences(kept, whole.results)]
    return found


def disk(folder: Path, arguments: argparse.Namespace, *, whole: Whole, num: int) -> list[str]:
    """What went wrong on full disks, from one that takes nearly nothing to one that takes nearly all."""
    needed = sum(path.stat().st_size for path in (folder / "whole" / "store").rglob("*"))
    found = []
    for number in range(num):
        toy, size = Toy(folder / f"full_{number}", arguments.study), int(needed * (number + 0.5) / num)
        toy.store.mkdir(parents=True)
        _mount(toy, f"size={size}")
        code, said = toy.end(), toy.said().splitlines()[-1]
        print(f"{number + 1} of {num} disks: {size} bytes: {said}", flush=True)
        if code != FAILED or "the disk is full" not in said:
            found.append(f"{size} bytes: exit code {code}: {toy.said()[-2000:]}")
        _mount(toy, f"remount,size={10 * needed}")
        found += [f"{size} bytes: {what}" for what in _differences(toy, whole.results)]
        subprocess.run(["umount", toy.store], check=True)
    return found


def processes(folder: Path, arguments: argparse.Namespace, *, whole: Whole, num: int) -> list[str]:
    """What went wrong where four processes made one study at once."""
    toy = Toy(folder / "shared", arguments.study)
    started = [toy.start(run=f"run_{number}") for number in range(4)]
    codes = [ended(process) for process in started]
    if any(codes):
        return [f"exit codes {codes}: {toy.said(run=f'run_{n}')[-2000:]}" for n, code in enumerate(codes) if code]
    commits = toy.commits()
    again = sorted({name for name in commits if commits.count(name) > 1})
    found = [f"made more than once: {again}"] if again else []
    unequal = [number for number in range(4) if toy.results(run=f"run_{number}") != whole.results]
    waits = sum("waiting for it" in toy.said(run=f"run_{number}") for number in range(4))
    print(f"4 processes, {len(commits)} results, each made once; {waits} processes waited for another", flush=True)
    return found + [f"process {number} found something else" for number in unequal]


FAULTS = {"kills": kills, "damage": damage, "disk": disk, "processes": processes}


def _whole(folder: Path, arguments: argparse.Namespace) -> Whole:
    composed(arguments.study)  # once, before all forks
    toy, begun = Toy(folder / "whole", arguments.study), time.monotonic()
    code = toy.end()
    assert code == 0, toy.said()
    seconds, operations = time.monotonic() - begun, int((toy.folder / "run" / "operations.txt").read_text())
    print(f"undisturbed: {seconds:.1f} s, {operations} operations on files", flush=True)
    return Whole(toy.results(), seconds, operations)


def _mount(toy: Toy, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", toy.store], check=True)


def _kill(toy: Toy, generator: random.Random, *, whole: Whole) -> tuple[str, int]:
    """When the study was killed, and its exit code: 0 where it ended before that."""
    if generator.random() < 0.5:
        moment = generator.randrange(1, whole.operations)
        return f"operation {moment}", toy.end(kill_before=moment)
    kill_after = generator.uniform(0.0, whole.seconds)
    return f"{kill_after:.2f} s", ended(toy.start(), kill_after=kill_after)


def _damage(toy: Toy, generator: random.Random) -> str:
    files = [path for path in sorted(toy.store.rglob("*")) if path.is_file() and path.stat().st_size]
    path = generator.choice(files)
    content = bytearray(path.read_bytes())
    place = generator.randrange(len(content))
    if cut := generator.random() < 0.5:
        del content[place:]
    else:
        content[place] ^= 1 << generator.randrange(8)
    path.write_bytes(content)
    return f"{'cut' if cut else 'flipped'} at {place} {path.relative_to(toy.store)}"


def _differences(toy: Toy, whole: dict[str, object]) -> list[str]:
    code = toy.end()
    if code != 0:
        return [f"exit code {code}: {toy.said()[-3000:]}"]
    results = toy.results()
    found = [f"{name} differs" for name in whole if results[name] != whole[name]]
    left = [path.name for path in toy.store.iterdir() if path.suffix == ".partial"]
    return found + [f"{name} is left over" for name in left]


def _fault(text: str) -> tuple[str, int | None]:
    name, _, num = text.partition("=")
    if name not in FAULTS:
        raise argparse.ArgumentTypeError(f"expected one of {', '.join(FAULTS)}, got {name}")
    return name, int(num) if num else None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faults", nargs="+", type=_fault, metavar="kills|damage|disk|processes[=NUM]")
    parser.add_argument("--study", choices=tuple(STUDIES), default="text")
    parser.add_argument("--num", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument(
        "--folder", type=Path, default=None, help="where the studies lie; a temporary folder by default"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
