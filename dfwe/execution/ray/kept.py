"""What stages in a worker say and log, kept to be said and logged where the study was started."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pytorch_lightning.loggers import Logger

from dfwe.execution.tracking import running


@dataclass(frozen=True)
class Kept:
    """Lines of the log (name, level, text), and metrics with their steps, of the stage with that title."""

    title: str = ""
    lines: list[tuple[str, int, str]] = field(default_factory=list)
    metrics: list[tuple[dict[str, float], int | None]] = field(default_factory=list)

    def pass_on(self, logger: Any) -> None:
        """Says and logs it here; `logger` is Lightning's, or False."""
        for name, level, text in self.lines:
            logging.getLogger(name).log(level, "%s", text)
        running(logger, title=self.title)
        for metrics, step in self.metrics if logger else ():
            logger.log_metrics(metrics, step=step)
        if logger and self.metrics:
            logger.save()


class KeptMetrics(Logger):
    """A logger that keeps metrics until they are taken."""

    def __init__(self) -> None:
        super().__init__()
        self.metrics: list[tuple[dict[str, float], int | None]] = []

    @property
    def name(self) -> str | None:
        """None: it writes nothing."""
        return None

    @property
    def version(self) -> int | str | None:
        """None: it writes nothing."""
        return None

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Keeps them."""
        self.metrics.append((dict(metrics), step))

    def log_hyperparams(self, *arguments: Any, **names: Any) -> None:
        """Modules of dfwe have none."""


@contextmanager
def keeping(logger: Any, *, title: str = "") -> Iterator[Kept]:
    """What is said in `dfwe`'s loggers meanwhile, and what that logger (KeptMetrics, or False) is given."""
    kept, root = Kept(title), logging.getLogger("dfwe")
    handler = _Lines(kept.lines)
    before = root.level
    root.setLevel(logging.INFO)
    root.addHandler(handler)
    try:
        yield kept
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
        if isinstance(logger, KeptMetrics):
            kept.metrics.extend(logger.metrics)
            logger.metrics.clear()


class _Lines(logging.Handler):
    def __init__(self, lines: list[tuple[str, int, str]]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append((record.name, record.levelno, record.getMessage()))
