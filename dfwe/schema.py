"""The typed root of the configuration: misspelt keys and wrong types fail when Hydra composes.

Fields carry no values here: `conf/` holds every one. (A task without `data` is asked of the study's corpus.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING


@dataclass
class TaskDataConfig:
    """Data that a task brings, whatever corpus the study has."""

    root: str | None = MISSING  # the folder; null for data.files
    reader: Any = MISSING


@dataclass
class TaskConfig:
    """One task: how it is asked, answered and scored (conf/task)."""

    name: str = MISSING
    default_sources: list[str] = MISSING  # short names; used when this task is the target
    labels: list[str] = MISSING  # in order; empty for free text
    decode: str = MISSING  # labels, candidates, greedy
    max_new_tokens: int = MISSING
    prompt: Any = MISSING
    metrics: dict[str, Any] = MISSING
    data: TaskDataConfig | None = None  # none: asked of the study's corpus
    head: Any = None  # of a model with heads: its class and the columns that it reads; none: text to text alone


@dataclass
class FitConfig:
    """One kind of training: how long, how fast, what stops it."""

    epochs: int = MISSING  # the cap
    patience: int = MISSING  # epochs without a new best on dev
    learning_rate: float = MISSING
    stop_on: str = MISSING  # target, own, last


@dataclass
class CompileConfig:
    """Whether a search compiles the encoder, and what that costs and brings (conf/trainer)."""

    when: str = MISSING  # auto, always, never
    seconds: float = MISSING  # that compiling takes
    gain: float = MISSING  # how many times faster an evaluation is expected to be


@dataclass
class TrainerConfig:
    """What all trainings share, and the two kinds (conf/trainer)."""

    optimizer: Any = MISSING
    batch_size: int = MISSING
    group_batches: int = MISSING  # batches in a group that is sorted by length: more pad less, fewer shuffle more
    accumulate: int = MISSING
    gradient_clip: float = MISSING
    light_dropout: bool = MISSING  # on a CPU, dropout draws other random numbers than torch's, five times as fast
    precision: str = MISSING  # auto, 32-true, bf16-mixed
    accelerator: str = MISSING
    threads: int | None = MISSING  # CPU threads; null for all
    checkpoint: bool = MISSING
    eval_tokens: dict[str, int] = MISSING  # read at once in an evaluation, padding included, by kind of device
    text_tokens: dict[str, int] = MISSING  # in a batch that free text is written for, likewise
    compile: CompileConfig = MISSING
    train: FitConfig = MISSING
    finetune: FitConfig = MISSING


@dataclass
class PretrainConfig:
    """An ordinary training stage before the study: its own corpus and tasks."""

    data: Any = MISSING
    tasks: dict[str, TaskConfig] = MISSING
    batch_size: int = MISSING
    fit: FitConfig = MISSING


@dataclass
class ModelConfig:
    """Where the parent comes from (conf/model)."""

    name: str = MISSING
    source: Any = MISSING
    seed: int = MISSING  # of fresh weights and pre-training; apart from the study's, so that seeds share a parent
    max_source_tokens: int = MISSING
    max_target_tokens: int = MISSING
    pretrain: PretrainConfig | None = MISSING


@dataclass
class DataConfig:
    """Where instances come from (conf/data)."""

    generator: Any = MISSING  # writes the corpus; null where `root` holds one, or where there is none
    root: str | None = MISSING
    reader: Any = MISSING
    files: str | None = MISSING  # the folder of tasks with data of their own
    shots: Any = MISSING  # all, a share of the dialogues, a number of instances, or a mapping from tasks to these
    shots_seed: int = MISSING
    max_cut_share: float = MISSING  # of a split's prompts, that may lose their beginning
    max_bad_share: float = MISSING  # of the rows of a file of a task's own data
    max_words: int = MISSING  # of a context; 0 for no limit
    truncation: str = MISSING  # context, reference


@dataclass
class LimitsConfig:
    """What ends a search beside its number of evaluations; null for no limit."""

    seconds: float | None = MISSING  # spent on evaluations
    dev_passes: float | None = MISSING  # a candidate that is stopped counts for its share


@dataclass
class MergeConfig:
    """A rule, and how its coefficients are found and picked (conf/merge)."""

    name: str = MISSING
    rule: Any = MISSING
    coefficients: Any = MISSING  # simplex, or a box {low, high}
    by: Any = MISSING  # what has coefficients of its own: the model, each layer, ...
    searched: dict[str, Any] = MISSING  # settings of the rule that are searched, too: {scale: {low: 0.3, high: 1.5}}
    statistics: Any = MISSING  # what the rule must know of the experts beside their weights, and how it is measured
    search: Any = MISSING
    limits: LimitsConfig = MISSING
    pick: Any = MISSING


@dataclass
class ZooConfig:
    """Many merges of the same experts (experiment=merge_zoo)."""

    rules: Any = MISSING  # all, or a list of conf/merge's options; each with `search`
    search: str = MISSING
    searches: Any = MISSING  # all, or a list of conf/merge/search's options; each with the linear mixture
    budget: int = MISSING  # evaluations of each


@dataclass
class MultitaskConfig:
    """A study of models with one encoder and a head a task (conf/multitask says what each key is)."""

    columns: dict[str, str] = MISSING  # tasks' short names by the names that tables have for them
    score: list[str] = MISSING  # the columns that count
    training: dict[str, Any] = MISSING  # what a model has where it says nothing else
    models: dict[str, Any] = MISSING
    candidates: Any = MISSING  # pareto, or models' names
    sets: dict[str, list[str]] = MISSING
    merge: dict[str, Any] = MISSING  # what a merge has where it says nothing else
    merges: dict[str, Any] = MISSING
    ablation: str | None = MISSING
    bins: Any = MISSING
    published: Any = MISSING
    surgery: Any = MISSING  # referred to by models
    smart: Any = MISSING
    fisher: Any = MISSING  # referred to by merges


@dataclass
class StagesConfig:
    """Which stages of the study run (conf/stages)."""

    skip: list[str] = MISSING
    until: str = MISSING


@dataclass
class PathsConfig:
    """Where things lie."""

    store: str = MISSING


@dataclass
class ReferenceConfig:
    """How the benchmark's code answers (decode=reference)."""

    do_sample: bool = MISSING
    num_beams: int = MISSING
    repetition_penalty: float = MISSING
    max_length: int = MISSING  # tokens, the start among them
    seed: int = MISSING


@dataclass
class DecodingConfig:
    """The numbers of ways of answering; each task says its own number of tokens."""

    reference: ReferenceConfig = MISSING


@dataclass
class SubsetConfig:
    """Which of the sources a study takes (dfwe/stages/subset.py)."""

    size: int = MISSING
    number: int | None = MISSING  # null for all
    order: str = MISSING  # names, drawn
    seed: int = MISSING  # of a drawn order


@dataclass
class ChoiceConfig:
    """Which of the sources a study takes, where it is to find that out (conf/choice, sources=auto)."""

    by: dict[str, Any] = MISSING  # criteria by name; none: all sources are taken
    number: int = MISSING  # of sources to take


@dataclass
class StudyConfig:
    """The root."""

    seed: int = MISSING
    decode: str = MISSING  # task, greedy, reference
    decoding: DecodingConfig = MISSING
    agreement: list[str] = MISSING  # labels, greedy, reference
    export: bool = MISSING
    report: bool = MISSING
    plan_only: bool = MISSING
    target: dict[str, TaskConfig] = MISSING
    sources: dict[str, TaskConfig] = MISSING
    sources_without_target: bool = MISSING
    subset: SubsetConfig = MISSING
    choice: ChoiceConfig = MISSING
    model: ModelConfig = MISSING
    data: DataConfig = MISSING
    trainer: TrainerConfig = MISSING
    stages: StagesConfig = MISSING
    merge: MergeConfig | None = MISSING
    merges: dict[str, MergeConfig] = MISSING
    zoo: ZooConfig | None = MISSING
    controls: list[str] = MISSING  # options of conf/control
    probes: list[str] = MISSING  # options of conf/probe
    multitask: MultitaskConfig | None = MISSING
    logger: Any = MISSING
    executor: Any = MISSING  # where stages are made (conf/executor)
    paths: PathsConfig = MISSING
