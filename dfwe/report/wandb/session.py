"""Connect a study to W&B: online with a key, offline without one; a failure is one warning, never the study's end.

Lightning's WandbLogger keeps one run per process and raises where the server fails, hence a session of our own.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

CONNECT, FINISH, UPLOAD = 30.0, 120.0, 3600.0  # seconds to wait for the server: at first, at the end, with a model


class Session:
    """Open the runs of one study in its folder (`folder/wandb`).

    What goes wrong there is logged once, with what to do; from then on runs are written offline: nothing is lost.
    If `artifact`, merged models are uploaded. The key is read by W&B itself, from where it keeps it.
    """

    def __init__(self, *, project: str, folder: Path, entity: str | None = None, artifact: bool = False) -> None:
        self.project, self.folder, self.entity, self.artifact = project, folder, entity, artifact
        self._mode: str | None = None  # set when the first run is opened
        self._has_warned = False

    def open(
        self, *, name: str, group: str, job_type: str, config: Mapping[str, Any], run_id: str | None = None
    ) -> Any | None:
        """Open a run beside the open ones; return None where W&B cannot even write to the disk.

        Online a run of an id that the server has goes on where that one ended (`resumed`, `starting_step`). Offline
        nobody can know: what is uploaded later is appended.
        """

        def init() -> Any:
            import wandb

            self._mode = self._mode or mode()
            settings = wandb.Settings(
                silent=True,
                init_timeout=CONNECT,
                finish_timeout=UPLOAD if self.artifact else FINISH,
                finish_timeout_raises=True,
                **({} if job_type == "study" else {"console": "off", "x_disable_stats": True}),
            )
            return wandb.init(
                project=self.project,
                entity=self.entity,
                dir=str(self.folder),
                id=run_id,
                resume="allow" if run_id and self._mode == "online" else None,
                name=name,
                group=group,
                job_type=job_type,
                config=dict(config),
                mode=self._mode,  # type: ignore[arg-type]
                reinit="create_new",
                settings=settings,
            )

        run = self.safely(init)
        if run is None and self._mode not in ("offline", "disabled"):
            self._mode = "offline"
            self.safely(_forget_all)
            run = self.safely(init)
        return run

    def safely(self, work: Callable[[], Any]) -> Any | None:
        """Return the result of the work, None where it fails."""
        try:
            return work()
        except Exception as error:  # a dashboard must never cost a study, whatever it raises
            self._warn(error)
            return None

    def _warn(self, error: Exception) -> None:
        if self._has_warned:
            return
        self._has_warned = True
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        key = os.environ.get("WANDB_API_KEY")
        log.warning(
            "W&B: %s; the study goes on, and what W&B has not got lies on disk: once this works, upload it with "
            "`wandb sync --include-online %s`",
            reason.replace(key, "...") if key else reason,
            self.folder / "wandb",
        )


def _forget_all() -> None:
    """End W&B's own process, in which the id of a run that could not be opened stays in use."""
    import wandb

    wandb.teardown()


def mode() -> str:
    """Return $WANDB_MODE; else online where W&B has a key, offline where it has none."""
    from_environment = os.environ.get("WANDB_MODE")
    if from_environment:
        return from_environment
    import wandb

    wandb.setup(settings=wandb.Settings(silent=True))
    return "online" if wandb.login(prompt=False, verify=False) else "offline"
