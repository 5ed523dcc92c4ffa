"""The baseline that is SetFit, by the package of that name (an optional extra)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Annotated

from dfwe.errors import ConfigurationError
from dfwe.stages.setfit import SetFitStage
from dfwe.studies.baselines.base import NO_TARGET, Baseline, BaselineInputs
from dfwe.values.allowed import Count, OneOf, PartialShare, Positive


@dataclass(frozen=True)
class SetFit(Baseline):
    """SetFit from the study's base model: contrastive pairs of the target's examples, then a logistic regression.

    `epochs` over the pairs, of which no more than `max_pairs` are read. `warmup` is the share of steps in which the
    learning rate grows. The head is scikit-learn's, with C = 1 / `head_l2`, on embeddings that `pooling` makes of a
    text's tokens, of length 1 if `normalize`.
    """

    epochs: Count
    max_pairs: Count
    batch_size: Count
    learning_rate: Positive
    warmup: PartialShare
    sampling: Annotated[str, OneOf("oversampling", "undersampling", "unique")]
    pooling: Annotated[str, OneOf("mean", "cls", "max")]
    normalize: bool
    head_l2: Positive
    head_max_iterations: Count

    def model(self, study: BaselineInputs) -> SetFitStage | str:
        """Return the stage; raise ConfigurationError where the package is missing."""
        family, target = study.factory.family, study.trained_target
        if target is None:
            return NO_TARGET
        if not family.has_heads:
            return "its base model is not an encoder, and SetFit tunes one: choose model=minilm_classifier"
        if family.decoding(target) != "labels":
            return "its answers are numbers, and SetFit chooses among labels"
        if len({instance.references for instance in family.instances(target, split="train")}) < 2:
            return "all examples of its train split have one label"
        if find_spec("setfit") is None:
            raise ConfigurationError(
                "baselines=[setfit]: the package 'setfit' that trains it is not installed: run "
                "`pip install 'dfwe[setfit]'`, or leave setfit out of baselines"
            )
        return SetFitStage(family, target, asdict(self), study.seed)
