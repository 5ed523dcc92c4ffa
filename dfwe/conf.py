"""Where the project's own YAML lies."""

from __future__ import annotations

from pathlib import Path


def conf_dir() -> Path:
    """The project's own configuration folder (an absolute path: a console script has no module to be relative to)."""
    return Path(__file__).resolve().parent.parent / "conf"
