"""What a control is, and which a study has."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dfwe.conf import conf_dir
from dfwe.config.instantiate import bind
from dfwe.config.load import option_file
from dfwe.config.tasks import Objective, Task
from dfwe.stages.ensemble import EnsembleStage
from dfwe.stages.merge import MergeStage
from dfwe.stages.train import TrainStage
from dfwe.studies.stage_factory import Workshop

log = logging.getLogger(__name__)

GROUP = "control"
Subject = TrainStage | MergeStage | EnsembleStage


@dataclass(frozen=True)
class Surroundings:
    """What of a study a control may be made from: all stages come from its workshop, so that none is made twice."""

    workshop: Workshop
    target: Objective
    sources: tuple[Task, ...]
    trained: Mapping[str, TrainStage]  # the experts on S*
    experts: Mapping[str, TrainStage]  # what is merged
    seed: int


class Control(ABC):
    """A model that costs less thought than a merge, and may well be as good."""

    @abstractmethod
    def subject(self, study: Surroundings) -> Subject | str:
        """The stage that makes it, or why this study cannot have it."""


def bound_controls(names: Sequence[str]) -> dict[str, Control]:
    """Controls by their names, once for all studies of a sweep; ConfigurationError where there is none of a name."""
    return {name: bind(option_file(conf_dir() / GROUP, name, key="controls")) for name in names}


def subjects(controls: Mapping[str, Control], *, study: Surroundings) -> dict[str, Subject]:
    """What a study is held against, by the controls' names; one that it cannot have is left out, and that is said."""
    found: dict[str, Subject] = {}
    for name, control in controls.items():
        subject = control.subject(study)
        if isinstance(subject, str):
            log.info("no control %s for %s: %s", name, study.target.name, subject)
        else:
            found[name] = subject
    return found
