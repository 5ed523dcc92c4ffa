"""Compare the memory and the disk that models need with those that are free."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dfwe.merging.files.findings import ALL, Finding, Level

_TIGHT = 0.8  # share of what is free from which on it may not be enough: other programs need some, too
_MEMORY = Path("/proc/meminfo")
_LIMIT, _USED = (Path("/sys/fs/cgroup") / name for name in ("memory.max", "memory.current"))


@dataclass(frozen=True)
class FreeSpace:
    """Hold the free bytes of memory (None if the system does not tell) and of the disk."""

    memory: int | None
    disk: int


def free_space(folder: Path) -> FreeSpace:
    """Return what is free on this machine, within its container's limit, and on the disk of that folder."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    return FreeSpace(_free_memory(), shutil.disk_usage(there).free)


def resource_findings(*, experts: int, model: int, free: FreeSpace, num_copies: int = 0) -> Iterator[Finding]:
    """Yield findings on memory and disk, from the bytes of all experts and of one model in float32.

    So many models are copied in float32 beside the one that is written.
    """
    needed = experts + model
    text = f"the experts and one model in float32 need {_gigabytes(needed)} of memory"
    if free.memory is None:
        yield Finding("memory", ALL, "ok", f"{text}; how much is free is unknown here")
    else:
        remedy = "take fewer experts, save them in bfloat16, or end other programs"
        yield _compare("memory", text, needed=needed, free=free.memory, remedy=remedy)
    needed = (1 + num_copies) * model
    contents = "the experts' copies and one model in float32 need" if num_copies else "one model in float32 needs"
    text = f"{contents} {_gigabytes(needed)} of disk"
    yield _compare("disk", text, needed=needed, free=free.disk, remedy="make room, or choose a folder on another disk")


def _compare(check: str, text: str, *, needed: int, free: int, remedy: str) -> Finding:
    level: Level = "refusal" if needed > free else "warning" if needed > _TIGHT * free else "ok"
    return Finding(check, ALL, level, f"{text}, {_gigabytes(free)} is free", "" if level == "ok" else remedy)


def _free_memory() -> int | None:
    amounts = [amount for amount in (_available(), _below_limit()) if amount is not None]
    return min(amounts, default=None)


def _available() -> int | None:
    try:
        lines = _MEMORY.read_text(encoding="ascii").splitlines()
    except OSError:  # another system than Linux
        pages, size = (os.sysconf_names.get(name) for name in ("SC_AVPHYS_PAGES", "SC_PAGE_SIZE"))
        return None if pages is None or size is None else os.sysconf(pages) * os.sysconf(size)
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), None)


def _below_limit() -> int | None:
    """Return what a container may still take; None without a limit."""
    try:
        limit, used = (path.read_text(encoding="ascii").strip() for path in (_LIMIT, _USED))
    except OSError:
        return None
    return max(0, int(limit) - int(used)) if limit.isdecimal() else None


def _gigabytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:.2f} GB"
