"""Compare ways of answering: the test split of the headline's models, answered in other ways, too."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dfwe.config.schema import OTHER_WAYS
from dfwe.config.tasks import Task
from dfwe.errors import ConfigurationError
from dfwe.families.base import ModelFamily
from dfwe.metrics.statistics import delta
from dfwe.records import Evaluation
from dfwe.stages.evaluate import EvaluateStage
from dfwe.values.names import BASELINE

log = logging.getLogger(__name__)

Evaluations = Mapping[str, EvaluateStage]  # by the model's name


@dataclass(frozen=True)
class DecodingComparison:
    """The test split answered in other ways than the study's `default`.

    `stages` are by way of answering; `left_out` has the reason why another way cannot be.
    """

    default: str = ""
    stages: Mapping[str, Evaluations] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)

    def all_stages(self) -> Iterator[EvaluateStage]:
        """Yield its stages."""
        for evaluations in self.stages.values():
            yield from evaluations.values()


def plan_decodings(
    decodings: Sequence[str], *, target: Task, family: ModelFamily, evaluations: Evaluations, headline: str | None
) -> DecodingComparison:
    """Return the stages that answer in these ways; those of the study's own way are there already.

    They are of the two models that the headline compares, the baseline and its merge: each way of each model is another
    pass over the test split. (Of all models where the study has neither.)

    Raises:
        ConfigurationError: `labels` alone for a task without closed sets of answers, or a family that
            answers in one way. Among several ways `labels` is left out with a warning, so that one list suits several
            targets.
    """
    default = "labels" if family.decoding(target) == "candidates" else family.decoding(target)
    left_out = _left_out(decodings, default=default, target=target, family=family)
    models = [name for name in (BASELINE, headline) if name in evaluations] or list(evaluations)
    alternatives = [
        decoding for decoding in dict.fromkeys(decodings) if decoding != default and decoding not in left_out
    ]
    families = {decoding: family.with_decoding(decoding) for decoding in alternatives}
    stages = {
        decoding: {name: EvaluateStage(other, evaluations[name].subject, target) for name in models if name is not None}
        for decoding, other in families.items()
    }
    return DecodingComparison(default, stages, left_out)


def _left_out(decodings: Sequence[str], *, default: str, target: Task, family: ModelFamily) -> dict[str, str]:
    if "labels" not in decodings or default == "labels":
        return {}
    if all(instance.candidates for instance in family.context.data.instances(target, split="dev")):
        return {}
    reason = f"{target.short} is answered in free text, it has no labels to choose among"
    if set(decodings) == {"labels"}:
        possible = " or ".join(decoding for decoding in OTHER_WAYS if decoding not in ("labels", default))
        raise ConfigurationError(f"decoding_comparison=[labels]: {reason}; choose {possible}")
    log.warning("decoding_comparison leaves out labels: %s", reason)
    return {"labels": reason}


def decoding_results(comparison: DecodingComparison, *, evaluations: Evaluations, seed: int) -> dict[str, Any]:
    """Return each model's answers by way of answering, the study's own first, as JSON; scores are fractions.

    `same` is the share of answers that are those of the study's own way, letter by letter; `no_label` that of answers
    off the instance's closed set (absent where there is none); `delta` is to the baseline answering in the same way.
    Empty where nothing is compared.
    """
    result: dict[str, Any] = {"left_out": dict(comparison.left_out)} if comparison.left_out else {}
    if not any(comparison.stages.values()):
        return result
    names = list(next(iter(comparison.stages.values())))
    default = {name: _evaluation(evaluations[name]) for name in names}
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    stages = {comparison.default: {name: evaluations[name] for name in names}, **comparison.stages}
    for decoding, by_model in stages.items():
        answers = {name: _evaluation(stage) for name, stage in by_model.items()}
        for name, stage in by_model.items():
            row = {"way": decoding, **_row(stage, answers[name], default=default[name])}
            if BASELINE in answers and name != BASELINE:
                row |= delta(answers[name], baseline=answers[BASELINE], scorer=stage.target.scorer, seed=seed)
            rows[name].append(row)
    return {"default": comparison.default, "models": [{"name": name, "ways": rows[name]} for name in names], **result}


def _row(stage: EvaluateStage, evaluation: Evaluation, *, default: Evaluation) -> dict[str, Any]:
    answers = evaluation.predictions
    row: dict[str, Any] = {
        "stage": f"{stage.kind}-{stage.digest}",
        **evaluation.scores,
        "same": _share([mine == other for mine, other in zip(answers, default.predictions, strict=True)]),
    }
    sets = [instance.candidates for instance in stage.family.instances(stage.target, split="test")]
    if all(sets):
        row["no_label"] = _share([answer not in labels for answer, labels in zip(answers, sets, strict=True)])
    return row


def _evaluation(stage: EvaluateStage) -> Evaluation:
    return stage.evaluation(stage.result(stage.family.context.store))


def _share(claims: Sequence[bool]) -> float:
    return sum(claims) / len(claims)
