"""Carry log lines and metrics of stages in a worker to the process that started the study."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pytorch_lightning.loggers import Logger

from dfwe.execution.tracking import running

Metrics = tuple[dict[str, float], int | None]  # with their step


@dataclass(frozen=True)
class StageLog:
    """Log lines (logger, level, text) and metrics of the stage with that title."""

    title: str = ""
    lines: list[tuple[str, int, str]] = field(default_factory=list)
    metrics: list[Metrics] = field(default_factory=list)

    def replay(self, logger: Any) -> None:
        """Log everything here; `logger` is Lightning's, or False."""
        for name, level, text in self.lines:
            logging.getLogger(name).log(level, "%s", text)
        running(logger, title=self.title)
        for metrics, step in self.metrics if logger else ():
            logger.log_metrics(metrics, step=step)
        if logger and self.metrics:
            logger.save()


class BufferedMetrics(Logger):
    """Stand in for a study's logger in a worker: keep metrics until they are taken."""

    def __init__(self) -> None:
        super().__init__()
        self.metrics: list[Metrics] = []

    @property
    def name(self) -> str | None:
        """None, as it writes nothing."""
        return None

    @property
    def version(self) -> int | str | None:
        """None, as it writes nothing."""
        return None

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Add them to the buffer."""
        self.metrics.append((dict(metrics), step))

    def log_hyperparams(self, *arguments: Any, **names: Any) -> None:
        """Ignore them: modules of dfwe have none."""


@contextmanager
def capture_logs(logger: Any, *, title: str = "") -> Iterator[StageLog]:
    """Collect what `dfwe` logs meanwhile, and the metrics that `logger` (BufferedMetrics, or False) gets."""
    captured, root = StageLog(title), logging.getLogger("dfwe")
    handler = _ListHandler(captured.lines)
    before = root.level
    root.setLevel(logging.INFO)
    root.addHandler(handler)
    try:
        yield captured
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
        if isinstance(logger, BufferedMetrics):
            captured.metrics.extend(logger.metrics)
            logger.metrics.clear()


class _ListHandler(logging.Handler):
    def __init__(self, lines: list[tuple[str, int, str]]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append((record.name, record.levelno, record.getMessage()))
