"""Random streams derived from one seed and a name, so that nothing depends on what ran before."""

from __future__ import annotations

import hashlib


def derive(seed: int, *names: str | int) -> int:
    """Return a 32-bit seed for the stream of that name; the same names give the same stream."""
    key = ":".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big")
