"""The stages of a model that learns from a teacher's answers: label scores of an ensemble, and the student."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import pytorch_lightning as pl
from jaxtyping import Float
from torch import nn

from dfwe.config.tasks import Task, tasks_of
from dfwe.config.unlabelled import Pool
from dfwe.families.base import ModelFamily
from dfwe.families.scorer import SplitScorer, evaluation_scores
from dfwe.merging.expert_array import save_weights
from dfwe.models.lora import save_lora
from dfwe.records import Instance
from dfwe.search.predictor import log_probabilities, mean_log_probabilities
from dfwe.stages.base import Stage, Tell
from dfwe.stages.merge import MergeStage
from dfwe.stages.train import TrainStage, load_training, parent_of, write_dev_answers

PARENT = "parent"
TAUGHT = "log_probabilities.npy"
_EPOCHS = "epochs"
Start = TrainStage | MergeStage


@dataclass(frozen=True)
class TeacherStage(Stage):
    """Answers the texts of a pool: the mean of the members' normalised log-likelihoods of each label.

    `ensemble` is the stage that found the members' weights on dev; without one they weigh the same.
    """

    kind: ClassVar[str] = "teacher"
    family: ModelFamily
    members: Mapping[str, TrainStage]
    ensemble: Stage | None
    pool: Pool

    @property
    def title(self) -> str:
        """Title in the user's words."""
        return f"{' and '.join(self.members)} on texts without labels"

    def spec(self) -> dict[str, Any]:
        """Return the members, their weights and the texts."""
        return {
            "family": self.family.spec(),
            "members": {name: stage.digest for name, stage in self.members.items()},
            "ensemble": None if self.ensemble is None else self.ensemble.digest,
            "target": self.family.task_spec(self.pool.target),
            "pool": self.pool.spec(self.family.context.data),
        }

    @property
    def needs(self) -> tuple[Stage, ...]:
        """The members, and what found their weights."""
        ensemble = () if self.ensemble is None else (self.ensemble,)
        return (*parent_of(self.family), *self.members.values(), *ensemble)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """This stage after those of its ensemble."""
        ensemble = () if self.ensemble is None else (*self.ensemble.needs, self.ensemble)
        return (*self.members.values(), *ensemble, self)

    def make(self, folder: Path, *, tell: Tell) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Let every member that has a weight read the texts."""
        start, store = time.perf_counter(), self.family.context.store
        weights = self._weights()
        names = [name for name, weight in weights.items() if weight]
        scores = []
        for number, name in enumerate(names):
            tell(number / len(names))
            scores.append(self._scores(self.members[name].model(self.members[name].result(store))))
        mean = mean_log_probabilities(scores, weights=np.array([weights[name] for name in names]))
        np.save(folder / TAUGHT, log_probabilities(mean))
        seconds = round(time.perf_counter() - start, 2)
        return {"members": names, "texts": len(mean), "seconds": seconds}, (TAUGHT,)

    @property
    def num_tokens(self) -> int:
        """Number of tokens of the texts."""
        return self._taught.num_split_tokens(self.pool.target, split="train")

    def log_probabilities(self) -> Float[np.ndarray, "examples labels"]:
        """Return each label's log-probability; -inf where an instance has fewer labels."""
        return np.asarray(np.load(self.result(self.family.context.store).file(TAUGHT)))

    def _weights(self) -> dict[str, float]:
        if self.ensemble is None:
            return dict.fromkeys(self.members, 1 / len(self.members))
        return dict(self.ensemble.result(self.family.context.store).card.result["coefficients"])

    @cached_property
    def _taught(self) -> ModelFamily:
        """Family whose train split of the target are the texts."""
        return self.family.with_train(self.pool.target, instances=self.pool.instances(self.family.context.data))

    @cached_property
    def _scorer(self) -> SplitScorer:
        scorer = self._taught.task_scorer(self.pool.target, split="train")
        assert isinstance(scorer, SplitScorer)
        return scorer

    def _scores(self, model: Any) -> Float[np.ndarray, "examples labels"]:
        scores = evaluation_scores(self._scorer.answers(self.family.on_device(model), exact=True))
        assert scores is not None, "answers of a closed set have label scores"
        return scores


@dataclass(frozen=True)
class StudentStage(TrainStage):
    """Trains one model of the usual size on the teacher's answers to a pool of texts, and on the labelled examples.

    A text's label is the teacher's distribution p, tempered: proportional to p^(1 / temperature). The expected loss is
    the cross-entropy with it (Hinton et al. 2015; there the student's logits are tempered, too, and the loss is scaled
    by the temperature's square). Labelled examples are learnt as they are. It starts from the best by dev of the parent
    and `starts`; the card says which. A start that was trained counts as an epoch before the first, so that the student
    is never below it on dev: of equal ones the start is kept, as `best_epoch` 0.
    """

    kind: ClassVar[str] = "student"
    teacher: TeacherStage
    starts: Mapping[str, Start]
    temperature: float

    @property
    def title(self) -> str:
        """Title in the user's words."""
        return f"student {self.recipe.name}"

    def spec(self) -> dict[str, Any]:
        """Return the teacher, where it may start, and the training's spec."""
        return {
            **super().spec(),
            "teacher": self.teacher.digest,
            "starts": {name: stage.digest for name, stage in self.starts.items()},
            "temperature": self.temperature,
            "epoch_0": "start",  # counts
        }

    @property
    def needs(self) -> tuple[Stage, ...]:
        """The teacher, and the models that it may start from."""
        return (*parent_of(self.family), *self.heads, self.teacher, *self.starts.values())

    def make(self, folder: Path, *, tell: Tell) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Train as every model is trained; the card has the texts' number, the start, and the dev scores it had."""
        result, files = super().make(folder, tell=tell)
        scores = self._start_scores
        best = result["epochs"][result["best_epoch"] - 1]["target"]
        is_start = best_start({**scores, _EPOCHS: best}) not in (PARENT, _EPOCHS)
        if is_start:
            self._keep_start(folder, weights=files[0])
        return {
            **result,
            "best_epoch": 0 if is_start else result["best_epoch"],
            "unlabelled": len(self._pool),
            "teacher": list(self.teacher.result(self.family.context.store).card.result["members"]),
            "start": best_start(scores),
            "starts": scores,
        }, files

    @property
    def num_planned_rows(self) -> int:
        """Number of instances that all allowed epochs read."""
        return super().num_planned_rows + int(self.recipe.fit["epochs"]) * len(self._pool)

    def num_steps(self, epochs: int) -> int:
        """Return the number of the optimizer's steps in so many epochs, over labelled and other texts."""
        return self._taught_by(self._pool).num_steps(self.recipe, epochs=epochs)

    def num_tokens(self, epochs: int) -> int:
        """Return the number of tokens that so many epochs read."""
        return self._student_family.num_tokens(self.recipe, epochs=epochs, seed=self._order_seed)

    def training_data(self) -> pl.LightningDataModule:
        """Return the batches of labelled examples and of the teacher's."""
        return self._student_family.training_data(self.recipe, seed=self._order_seed)

    @property
    def target(self) -> Task:
        """Task of the teacher's answers."""
        return self.teacher.pool.target

    @cached_property
    def _pool(self) -> tuple[Instance, ...]:
        return self.teacher.pool.instances(self.family.context.data)

    @cached_property
    def _student_family(self) -> ModelFamily:
        """Family whose train split of the target has the teacher's answers, too."""
        log_p = self.teacher.log_probabilities()
        return self._taught_by(soft_labels(self._pool, log_p, temperature=self.temperature))

    def _taught_by(self, instances: Sequence[Instance]) -> ModelFamily:
        labelled = self.family.context.data.instances(self.target, split="train")
        return self.family.with_train(self.target, instances=(*labelled, *instances))

    @cached_property
    def _start_scores(self) -> dict[str, float | None]:
        """Scores on dev of the models that it may start from."""
        store = self.family.context.store
        scores: dict[str, float | None] = {}
        for name, stage in self.starts.items():
            entry = stage.result(store)
            dev = stage.dev(entry).scores if isinstance(stage, TrainStage) else entry.card.result["dev"]
            scores[name] = dev["score"]
        parent = self.family.on_device(self.family.model(tasks_of(self.target)))
        return scores | {PARENT: self.family.scorer(self.target, split="dev")(parent, exact=True).scores["score"]}

    def _keep_start(self, folder: Path, *, weights: str) -> None:
        """Write the start in place of the best epoch: its weights, and its answers on dev."""
        alone = replace(self, ranks=None)  # the others have ended
        model = cast(nn.Module, alone.module().model)
        alone._load_start(model)
        save = save_weights if self.lora is None else save_lora
        save(model, folder / weights)
        evaluation = alone._dev_score(self.target)(self.family.on_device(model))
        write_dev_answers(folder, evaluation.predictions, label_scores=evaluation.label_scores)

    def _load_start(self, model: nn.Module) -> None:
        """Load the weights of the best start; nothing where that is the parent, which the model is."""
        stage = self.starts.get(best_start(self._start_scores))
        if isinstance(stage, TrainStage):
            load_training(model, stage, family=self.family)
        elif stage is not None:
            weights = stage.model(stage.result(self.family.context.store)).state_dict()
            model.load_state_dict(weights)


def best_start(scores: Mapping[str, float | None]) -> str:
    """Return the name with the highest dev score, of equal ones the first; an undefined score is the lowest."""
    return max(scores, key=lambda name: float("-inf") if (score := scores[name]) is None else score)


def soft_labels(
    instances: Sequence[Instance], log_p: Float[np.ndarray, "examples labels"], *, temperature: float
) -> tuple[Instance, ...]:
    """Return the instances with every label as a target, weighed by the tempered probabilities p^(1 / temperature)."""
    p = np.exp(log_probabilities(log_p / temperature))
    return tuple(
        replace(
            instance,
            targets=instance.candidates,
            target_weights=tuple(map(float, row[: len(instance.candidates)])),
        )
        for instance, row in zip(instances, p, strict=True)
    )
