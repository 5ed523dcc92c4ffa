"""Whether a study's numbers depend on how answers are found: the test split answered in other ways, too."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dfwe.config.tasks import Task
from dfwe.errors import ConfigurationError
from dfwe.families.base import ModelFamily
from dfwe.metrics.comparison import delta
from dfwe.records import Evaluation
from dfwe.stages.evaluate import EvaluateStage
from dfwe.values.names import BASELINE

log = logging.getLogger(__name__)

WAYS = ("labels", "greedy", "reference")
Tested = Mapping[str, EvaluateStage]  # by the model's name


@dataclass(frozen=True)
class DecodingComparison:
    """The test split answered in other ways than the study's own, `own`.

    `stages` are by way; `left_out` says of a way why it cannot be.
    """

    own: str = ""
    stages: Mapping[str, Tested] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)

    def all_stages(self) -> Iterator[EvaluateStage]:
        """Every stage of it."""
        for tested in self.stages.values():
            yield from tested.values()


def plan_decodings(
    ways: Sequence[str], *, target: Task, family: ModelFamily, tested: Tested, asked: str | None
) -> DecodingComparison:
    """The stages that answer in these ways; the study's own way is there already.

    They are of the two models that the headline compares, the baseline and the merge that was asked for, not of all:
    each way of each model is another pass over the test split. (Of all where the study has neither.)

    Raises:
        ConfigurationError: an unknown way, or `labels` alone for a task without closed sets of answers. Among several
            ways it is left out with a warning, so that one list suits several targets.
    """
    for way in ways:
        if way not in WAYS:
            raise ConfigurationError(f"agreement is a list of {', '.join(WAYS)}, not '{way}'")
    own = "labels" if family.decoding(target) == "candidates" else family.decoding(target)
    left_out = _left_out(ways, own=own, target=target, family=family)
    subjects = [name for name in (BASELINE, asked) if name in tested] or list(tested)
    others = [way for way in dict.fromkeys(ways) if way != own and way not in left_out]
    families = {way: family.with_decoding(way) for way in others}
    stages = {
        way: {name: EvaluateStage(other, tested[name].subject, target) for name in subjects if name is not None}
        for way, other in families.items()
    }
    return DecodingComparison(own, stages, left_out)


def _left_out(ways: Sequence[str], *, own: str, target: Task, family: ModelFamily) -> dict[str, str]:
    if "labels" not in ways or own == "labels":
        return {}
    if all(instance.candidates for instance in family.context.data.instances(target, split="dev")):
        return {}
    reason = f"{target.short} is answered in free text, it has no labels to choose among"
    if set(ways) == {"labels"}:
        possible = " or ".join(way for way in WAYS if way not in ("labels", own))
        raise ConfigurationError(f"agreement=[labels]: {reason}; choose {possible}")
    log.warning("agreement leaves out labels: %s", reason)
    return {"labels": reason}


def decoding_results(agreement: DecodingComparison, *, tested: Tested, seed: int) -> dict[str, Any]:
    """Each model's answers by way, the study's own first, as JSON; shares and scores are fractions.

    `same` is the share of answers that are those of the study's own way, letter by letter; `no_label` that of answers
    off the instance's closed set (absent where there is none); `delta` is to the baseline answering in the same way.
    Empty where no agreement was asked for.
    """
    found: dict[str, Any] = {"left_out": dict(agreement.left_out)} if agreement.left_out else {}
    if not any(agreement.stages.values()):
        return found
    names = list(next(iter(agreement.stages.values())))
    own = {name: _evaluation(tested[name]) for name in names}
    by_way = {agreement.own: {name: tested[name] for name in names}, **agreement.stages}
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for way, stages in by_way.items():
        evaluations = {name: _evaluation(stage) for name, stage in stages.items()}
        for name, stage in stages.items():
            row = {"way": way, **_row(stage, evaluations[name], own=own[name])}
            if BASELINE in evaluations and name != BASELINE:
                scorer = stage.target.scorer
                row |= delta(evaluations[name], baseline=evaluations[BASELINE], scorer=scorer, seed=seed)
            rows[name].append(row)
    return {"own": agreement.own, "models": [{"name": name, "ways": rows[name]} for name in names], **found}


def _row(stage: EvaluateStage, evaluation: Evaluation, *, own: Evaluation) -> dict[str, Any]:
    answers = evaluation.predictions
    row: dict[str, Any] = {
        "stage": f"{stage.kind}-{stage.digest}",
        **evaluation.scores,
        "same": _share([mine == other for mine, other in zip(answers, own.predictions, strict=True)]),
    }
    sets = [instance.candidates for instance in stage.family.instances(stage.target, split="test")]
    if all(sets):
        row["no_label"] = _share([answer not in each for answer, each in zip(answers, sets, strict=True)])
    return row


def _evaluation(stage: EvaluateStage) -> Evaluation:
    return stage.evaluation(stage.result(stage.family.context.store))


def _share(claims: Sequence[bool]) -> float:
    return sum(claims) / len(claims)
