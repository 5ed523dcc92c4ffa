"""The stages of a study of either kind by their digests, as far as they are known yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from omegaconf import DictConfig

from dfwe.errors import ExecutorError
from dfwe.execution.local import describe
from dfwe.families.base import ModelFamily
from dfwe.stages.base import Stage
from dfwe.studies.plan import load_plan


class Catalogue:
    """Plans the study that a configuration describes; raises what planning raises."""

    def __init__(self, config: DictConfig) -> None:
        plan = load_plan(config)
        self.family: ModelFamily = plan.family
        self._lists: Iterator[Iterable[tuple[str, Stage]]] = plan.rounds()
        self._stages: dict[str, tuple[str, Stage]] = {}

    def stage(self, digest: str) -> Stage:
        """The stage of that digest.

        Raises:
            ExecutorError: the study has none: it was planned otherwise than where the digest is from.
        """
        while digest not in self._stages and self._read_on():
            pass
        if digest not in self._stages:
            raise ExecutorError(
                f"a worker plans another study than the process that started it, without the stage {digest}: both need "
                "the same version of dfwe, the same files, and paths that mean the same on all machines"
            )
        return self._stages[digest][1]

    def title(self, digest: str) -> str:
        """That stage in the user's words; raises what `stage` raises."""
        stage = self.stage(digest)
        return describe(self._stages[digest][0], stage)

    def _read_on(self) -> bool:
        """Whether there was another list of stages; the next may need what those before it have given."""
        stages = next(self._lists, None)
        self._stages = {stage.digest: (part, stage) for part, stage in stages or ()} | self._stages  # the first part
        return stages is not None
