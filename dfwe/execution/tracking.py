"""A study's live run in W&B, and what it says there when it is over; other loggers of Lightning's need nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger

from dfwe.report.names import in_words
from dfwe.report.wandb.publish import group_of, publish, show_study
from dfwe.report.wandb.session import Session
from dfwe.stages.base import Tell

STEP = "step"  # of the optimizer, or the number of a trial
Start = Callable[[int, int, str], Tell]


class StudyLogger(Logger):
    """Curves and trials as they come, each under the title of its stage, in a run of job type `study`.

    The run begins with the first of them, so that a study which trains nothing makes none. Until `begin` has said what
    it is called they wait. A copy in another process logs nothing: a run has one writer.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self._title = ""
        self._known: dict[str, Any] | None = None
        self._waiting: list[dict[str, Any]] = []
        self._charts: set[str] = set()
        self._run: Any = None

    @property
    def name(self) -> str:
        """Project of its runs."""
        return self.session.project

    @property
    def version(self) -> str:
        """None has a number: runs are told apart by their folders."""
        return ""

    def begin(self, *, name: str, group: str, config: Mapping[str, Any]) -> None:
        """Set what the run is called; what was logged before is written now."""
        self._known = {"name": name, "group": group, "config": config}
        waiting, self._waiting = self._waiting, []
        for row in waiting:
            self._write(row)

    def running(self, title: str) -> None:
        """Set the stage that is running: its curves have its title."""
        self._title = title

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Write them, or keep them until the run has a name."""
        values = {key: value for key, value in metrics.items() if key != "epoch"}  # which Lightning adds
        row = {f"{self._title}/{key}": value for key, value in values.items()}
        self._write(row if step is None else {**row, STEP: step})

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Log nothing: the configuration is the study's, not a module's."""

    def finish(self, results: Mapping[str, Any], *, summary: Mapping[str, float]) -> None:
        """Write the final numbers, table and pictures, and end the run, if there is one."""
        run, self._run = self._run, None
        if run is not None:
            self.session.safely(lambda: run.summary.update({k: v for k, v in summary.items() if v is not None}))
            self.session.safely(lambda: show_study(run, results=results, folder=self.session.folder))
            self.session.safely(run.finish)
        self._known = None

    def _write(self, row: dict[str, Any]) -> None:
        if self._known is None:
            self._waiting.append(row)
            return
        if self._run is None:
            self._run = self.session.open(job_type="study", **self._known)
        if self._run is not None:
            self.session.safely(lambda: self._log(row))

    def _log(self, row: dict[str, Any]) -> None:
        title = next(iter(row)).split("/")[0]
        if not self._charts:
            self._run.define_metric(STEP, summary="none")
        if title not in self._charts:
            self._charts.add(title)
            self._run.define_metric(f"{title}/*", step_metric=STEP, summary="none")
        self._run.log(row)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_run": None, "_known": None, "_waiting": [], "_charts": set()}


def wandb_logger(*, project: str, folder: str, entity: str | None = None, artifact: bool = False) -> StudyLogger:
    """Return a logger whose runs lie in the study's own folder; nothing reaches W&B before something is logged."""
    return StudyLogger(Session(project=project, folder=Path(folder), entity=entity, artifact=artifact))


def following(start: Start, *, logger: Any) -> Start:
    """Return the same `start`, which tells the logger, too, what is running."""

    def start_logged(number: int, total: int, title: str) -> Tell:
        running(logger, title=title)
        return start(number, total, title)

    return start_logged


def running(logger: Any, *, title: str) -> None:
    """Set the stage, by its title, of what is logged next."""
    if isinstance(logger, StudyLogger):
        logger.running(title)


def begin(logger: Any, *, target: str, sources: tuple[str, ...], model: str, seed: int) -> None:
    """Name the live run and put it beside its merges."""
    if isinstance(logger, StudyLogger):
        group = group_of(target, sources=sources, model=model)
        config = {"target": target, "sources": ", ".join(sources), "model": model.removeprefix("parent "), "seed": seed}
        logger.begin(name=logger.session.folder.name, group=group, config=config)


def finish(
    logger: Any,
    *,
    results: Mapping[str, Any],
    summary: Mapping[str, float],
    merges: Mapping[str, Mapping[str, Any]],
) -> None:
    """End the live run with the final numbers, and write a run for each of the merges, given by their settings."""
    if isinstance(logger, StudyLogger):
        # merges have `test` and `delta` of their own: charts of these are of merges alone
        logger.finish(results, summary={name: score for name, score in summary.items() if "/" in name})
        publish(
            results, session=logger.session, described={name: _described(config) for name, config in merges.items()}
        )


def _described(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return method, search and selection by the names of their classes, each with its settings."""
    settings_by_part: dict[str, Any] = {}
    for part in ("method", "search", "selection"):
        settings_by_part[part] = str(config[part]["_target_"]).rsplit(".", 1)[-1]
        settings = {key: value for key, value in config[part].items() if isinstance(value, str | int | float)}
        settings_by_part[f"{part}_settings"] = in_words(
            {key: value for key, value in settings.items() if not key.startswith("_")}
        )
    return settings_by_part
