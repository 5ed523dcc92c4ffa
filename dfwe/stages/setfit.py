"""The stage of SetFit: it tunes the base model on pairs of the target's examples, and answers dev and test."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any, ClassVar

from dfwe.config.tasks import Task
from dfwe.families.base import ModelFamily
from dfwe.records import Split
from dfwe.seeding import derive
from dfwe.stages.base import Stage, Tell
from dfwe.stages.evaluate import ANSWERS, AnswersStage, write_predictions
from dfwe.stages.train import parent_of
from dfwe.training.setfit import SetFitResult, fit_setfit

_TOKENS_PER_WORD = 8  # more than words have, so that no word is dropped for nothing


@dataclass(frozen=True)
class SetFitStage(AnswersStage):
    """Trains a SetFit model, whose form no family has: its answers are kept, not its weights.

    `settings` are those in conf/baseline/setfit.yaml. A killed run begins it anew.
    """

    kind: ClassVar[str] = "setfit"
    family: ModelFamily
    target: Task
    settings: Mapping[str, Any]
    seed: int

    @property
    def title(self) -> str:
        """Title in the user's words."""
        return f"SetFit of {self.target.short}"

    def spec(self) -> dict[str, Any]:
        """Return the base model, the target with its data, the settings and the seed."""
        return {
            "family": self.family.spec(),
            "target": self.family.task_spec(self.target),
            "setfit": dict(self.settings),
            "seed": self.seed,
        }

    @property
    def needs(self) -> tuple[Stage, ...]:
        """The base model's stage."""
        return parent_of(self.family)

    @property
    def training_seed(self) -> int:
        """Seed of the pairs and their order."""
        return derive(self.seed, "setfit", self.target.name)

    def make(self, folder: Path, *, tell: Tell) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Train on the train split, and answer dev and test once."""
        start, family = time.perf_counter(), self.family
        result = self._train(tell)
        dev = family.scorer(self.target, split="dev").evaluate(self._answers(result, split="dev"))
        instances = family.instances(self.target, split="test")
        write_predictions(folder / ANSWERS, self._answers(result, split="test"), instances=instances)
        return {
            "dev": dev.scores,
            "train_steps": result.num_steps,
            "train_tokens": result.num_tokens,
            "dev_answers": len(dev.predictions),
            "seconds": round(time.perf_counter() - start, 2),
        }, (ANSWERS,)

    def texts(self, split: Split) -> list[str]:
        """Return each instance as one text; two sentences have the tokenizer's separator between them.

        One that is too long for the model loses its first words, of a pair those of the longer sentence.
        """
        fit = partial(_fitting, tokenizer=self.family.tokenizer, max_tokens=self.family.settings.max_source_tokens)
        instances = self.family.instances(self.target, split=split)
        return [fit(instance.sentences or (instance.source,)) for instance in instances]

    def _train(self, tell: Tell) -> SetFitResult:
        family = self.family
        return fit_setfit(
            family.base_model.model_folder(family.context.store),
            texts=self.texts("train"),
            labels=[int(label) for label in family.encode(self.target, split="train").gold],
            settings=self.settings,
            max_tokens=family.settings.max_source_tokens,
            seed=self.training_seed,
            device=family.context.device,
            tell=tell,
        )

    def _answers(self, result: SetFitResult, *, split: Split) -> tuple[str, ...]:
        labels = result.labels(self.texts(split))
        instances = self.family.instances(self.target, split=split)
        return tuple(instance.candidates[label] for instance, label in zip(instances, labels, strict=True))


def _fitting(parts: Sequence[str], *, tokenizer: Any, max_tokens: int) -> str:
    """Return the parts as one text of at most so many tokens, if a word of each part has room."""
    text, words = tokenizer.sep_token.join(parts), [part.split() for part in parts]
    while (excess := len(tokenizer(text, verbose=False)["input_ids"]) - max_tokens) > 0:
        longest = max(words, key=len)
        if len(longest) < 2:
            break
        del longest[: min(ceil(excess / _TOKENS_PER_WORD), len(longest) - 1)]
        text = tokenizer.sep_token.join(map(" ".join, words))
    return str(text)
