"""Random streams derived from one seed and a name, so that nothing depends on what ran before."""

from __future__ import annotations

import hashlib

import numpy as np
import torch


def derive(seed: int, *names: str | int) -> int:
    """A 32-bit seed for the stream of that name; the same names give the same stream."""
    key = ":".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big")


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """A numpy generator for the stream of that name."""
    return np.random.default_rng(derive(seed, *names))


def seed_torch(seed: int, *names: str | int) -> None:
    """Sets torch's global state (what dropout and fresh weights draw from) to the stream of that name."""
    torch.manual_seed(derive(seed, *names))
