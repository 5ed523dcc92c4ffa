"""Where the project's own YAML lies."""

from __future__ import annotations

from pathlib import Path

_INSTALLED = "configuration"  # what setup.py makes of the folder conf/ in a wheel


def conf_dir() -> Path:
    """The project's own configuration folder (an absolute path: a console script has no module to be relative to)."""
    package = Path(__file__).resolve().parent
    installed = package / _INSTALLED
    return installed if installed.is_dir() else package.parent / "conf"


def option_names(group: str) -> tuple[str, ...]:
    """Return the names of a group's options there, sorted."""
    return tuple(sorted(path.stem for path in (conf_dir() / group).glob("*.yaml")))
