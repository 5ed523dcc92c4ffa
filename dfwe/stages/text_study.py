"""From a configuration to what the stages of a text-to-text study share, and to its parent."""

from __future__ import annotations

from collections.abc import Sequence

from omegaconf import DictConfig

from dfwe.config.load import basis, plain
from dfwe.config.task_data import token_limits
from dfwe.config.tasks import Task
from dfwe.errors import ConfigurationError
from dfwe.families.base import TextBench
from dfwe.families.seq2seq.inference.generate import ReferenceDecoding
from dfwe.stages.base import Stage
from dfwe.stages.pretrain import parent_stages


def study_bench(config: DictConfig, *, tasks: Sequence[Task]) -> tuple[TextBench, tuple[Stage, ...]]:
    """What the stages share, and the stages that make the parent; `tasks` are all that may be asked of the data.

    Sets torch's threads. Raises ConfigurationError for settings that cannot work.
    """
    base = basis(config, tasks=tasks)
    limits = token_limits(base.model, truncation=config.data.truncation, max_cut_share=config.data.max_cut_share)
    if config.decode not in ("task", "greedy", "reference"):
        raise ConfigurationError(f"decode must be task, greedy or reference, not '{config.decode}'")
    parent, stages = parent_stages(base.model, store=base.store, trainer=base.trainer, precision=base.precision)
    reference = ReferenceDecoding(**plain(config.decoding.reference))
    bench = TextBench(
        base.store, base.data, parent, limits, base.trainer, base.precision, config.decode, base.logger, reference
    )
    return bench, stages
