"""Baselines that are one training, or none."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from dfwe.config.tasks import Task
from dfwe.models.lora import Lora
from dfwe.stages.linear_probe import LinearProbeStage
from dfwe.stages.train import TrainStage
from dfwe.studies.baselines.base import NO_SOURCES, NO_TARGET, Baseline, BaselineInputs
from dfwe.studies.stage_factory import StageFactory
from dfwe.values.allowed import Count, Name, OpenShare, Pair, PartialShare, Pattern, Positive
from dfwe.values.names import BASELINE, MIXTURE


@dataclass(frozen=True)
class Multitask(Baseline):
    """One model trained on the target and all sources together, neither fine-tuned nor merged."""

    def model(self, study: BaselineInputs) -> TrainStage | str:
        """Return the expert on {t} and S as it was before its fine-tuning."""
        if MIXTURE not in study.trained:
            return NO_SOURCES
        if study.trained is study.experts:
            return "experts are not fine-tuned, so it is one of them"
        return study.trained[MIXTURE]


@dataclass(frozen=True)
class SameCompute(Baseline):
    """The parent on the target alone, for as many steps as all experts are allowed together; its best epoch is kept.

    Steps are counted as planned, those of trainings that selected the sources included: early stopping may let the
    study itself do with fewer. It ends before them where as many epochs as a plain fine-tuning is allowed bring no gain
    on dev. Without it the equally trained baseline is the expert of the target itself.
    """

    def model(self, study: BaselineInputs) -> TrainStage | str:
        """Return the longer training."""
        target = study.trained_target
        if target is None:
            return NO_TARGET
        trainings = (*study.trained.values(), *study.experts.values(), *study.selecting)
        stages = {stage.digest: stage for stage in trainings}
        plain = study.factory.baseline(target, seed=study.seed)
        num_epochs = plain.recipe.fit["epochs"]
        steps_per_epoch = plain.num_planned_steps / num_epochs
        num_steps = sum(stage.num_planned_steps for stage in stages.values())
        epochs = max(num_epochs, round(num_steps / steps_per_epoch))
        fit = {"epochs": epochs, "patience": num_epochs}
        return study.factory.baseline(target, seed=study.seed, name=f"{BASELINE} for {epochs} epochs", fit=fit)


@dataclass(frozen=True)
class AveragedBaseline(Baseline):
    """The baseline's training repeated, seed, order and dropout alike, with an average of its weights in their place.

    The average is scored on dev after every epoch, its best is kept, and its scores end the training. The settings of
    its classes are the arguments of `weight_average`.
    """

    def model(self, study: BaselineInputs) -> TrainStage | str:
        """Return the training."""
        target = study.trained_target
        if target is None:
            return NO_TARGET
        averaging = asdict(self)
        name = f"{BASELINE}, averaged by {', '.join(averaging)}"
        return study.factory.baseline(target, seed=study.seed, name=name, fit={"averaging": averaging})


@dataclass(frozen=True)
class CheckpointAverage(AveragedBaseline):
    """The mean of the weights at the ends of the last `epochs` epochs up to the best one (see `LatestWeights`)."""

    epochs: Pair


@dataclass(frozen=True)
class MovingAverage(AveragedBaseline):
    """The exponential moving average of the weights per step (see `ExponentialMovingAverage`)."""

    decay: OpenShare


@dataclass(frozen=True)
class LoraBaseline(Baseline):
    """The base model fine-tuned on the target alone with LoRA, in a study whose own trainings change all weights.

    `learning_rate_factor` is times `trainer.finetune.learning_rate`; the other settings are as of `Lora`.
    """

    rank: Count
    alpha: Positive
    dropout: PartialShare
    rslora: bool
    targets: Pattern | list[Name]
    learning_rate_factor: Positive

    def model(self, study: BaselineInputs) -> TrainStage | str:
        """Return the training; raise ModelError where PEFT is missing."""
        family, target = study.factory.family, study.trained_target
        if target is None:
            return NO_TARGET
        if not family.takes_lora:
            return f"models of the family {family.name} train all their weights"
        if family.settings.lora is not None:
            return "the study's own trainings are LoRA"
        lora = Lora(self.rank, self.alpha, self.dropout, self.rslora, self.targets)
        lora.check_installed()
        factory = StageFactory(replace(family, settings=replace(family.settings, lora=lora)))
        rate = self.learning_rate_factor * family.context.trainer["finetune"]["learning_rate"]
        name, fit = f"{BASELINE} with LoRA", {"learning_rate": rate}
        return factory.baseline(target, seed=study.seed, name=name, fit=fit)


@dataclass(frozen=True)
class Probe(Baseline):
    """The base model's frozen encoder with a linear probe: what its features alone are worth, in seconds."""

    def model(self, study: BaselineInputs) -> TrainStage | str:
        """Return the stage over the head that models start from."""
        family, objective = study.factory.family, study.objective
        if not isinstance(objective, Task):
            return NO_TARGET
        if not family.head_trainings((objective,)):
            return "its models have no head that is fitted first (trainer.head_first)"
        return LinearProbeStage.of(family, target=objective)
