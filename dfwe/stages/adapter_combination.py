"""The stage of a merge's LoRA experts combined as PEFT combines adapters, at the coefficients of the merge."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from dfwe.errors import ConfigurationError
from dfwe.merging.adapter_combinations import COMBINATIONS, combine_adapters
from dfwe.merging.expert_array import load_weights
from dfwe.models.adapters import ADAPTER, AdapterContent, save_factors
from dfwe.models.folders import ADAPTER_CONFIG
from dfwe.stages.base import Stage
from dfwe.stages.merge import MergeStage
from dfwe.stages.train import HeadStage
from dfwe.stages.untrained import UntrainedStage, untrained

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AdapterCombination(UntrainedStage):
    """The base model with one adapter, made of the experts'."""

    kind: ClassVar[str] = "combination"
    merge: MergeStage
    combination: str

    @classmethod
    def of(cls, merge: MergeStage, *, combination: str) -> AdapterCombination:
        """Return that combination at the coefficients of the merge."""
        name = f"{merge.name}_peft_{combination}"
        recipe = untrained(name, family=merge.family, target=merge.target)  # type: ignore[arg-type]
        return cls(merge.family, recipe, None, merge.seed, merge, combination)

    @property
    def title(self) -> str:
        """Title in the user's words."""
        return f"combination {self.recipe.name}"

    def spec(self) -> dict[str, Any]:
        """Return the merge and the combination."""
        return {"family": self.family.spec(), "merge": self.merge.digest, "combination": self.combination}

    @property
    def needs(self) -> tuple[Stage, ...]:
        """The merge, and what that needs."""
        return (*self.merge.needs, self.merge)

    @property
    def heads(self) -> tuple[HeadStage, ...]:
        """None: what experts begin with is in the base model."""
        return ()

    def write_model(self, folder: Path) -> tuple[Any, tuple[str, ...], Mapping[str, Any]]:
        """Combine the experts' factors.

        Raises:
            MergeError: the experts' adapters cannot be combined so.
        """
        coefficients = self.merge.result(self.family.context.store).card.result["coefficients"]
        array = self.merge.expert_array()
        weights = self.merge.tensor_coefficients(array.layout, coefficients)
        save_factors(folder, combine_adapters(array, weights, combination=self.combination))
        model = self.family.model(self.recipe.tasks)
        load_weights(model, folder / ADAPTER, name=self.recipe.name)
        return model, (ADAPTER, ADAPTER_CONFIG), {"coefficients": coefficients}


def plan_combinations(merge: MergeStage) -> dict[str, AdapterCombination]:
    """Return the combinations that a merge's `lora` asks for, by the names of their rows; linear needs equal ranks.

    Raises:
        ConfigurationError: an expert is not LoRA, or has whole tensors as well.
    """
    if merge.config["lora"] != "factors":
        return {}
    contents = [_content(name, stage.adapter) for name, stage in merge.experts.items()]
    ranks = sorted(set().union(*(content.ranks for content in contents)))
    if len(ranks) > 1:
        in_words = ", ".join(map(str, ranks))
        log.warning("no %s_peft_linear: PEFT needs adapters of one rank for it, these have %s", merge.name, in_words)
    possible = [way for way in COMBINATIONS if way != "linear" or len(ranks) == 1]
    combinations = [AdapterCombination.of(merge, combination=way) for way in possible]
    return {combination.recipe.name: combination for combination in combinations}


def _content(name: str, content: AdapterContent | None) -> AdapterContent:
    if content is None:
        raise ConfigurationError(
            f"merge.lora=factors combines the factors of LoRA experts, and {name} is a whole model: set "
            "merge.lora=products"
        )
    if content.whole:
        raise ConfigurationError(
            f"merge.lora=factors: {name} has {content.whole[0]} as a whole tensor, and PEFT combines factors alone: "
            "set merge.lora=products"
        )
    return content
