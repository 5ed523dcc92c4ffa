"""The typed root of the configuration: every key, its type, its range or its choices.

Misspelt keys and wrong types fail when Hydra composes, ranges and choices when `dfwe.config.consistency` checks them;
the arguments of a `_target_` are described at its class, in the same words (`dfwe.values.allowed`). Fields carry no
values here: `conf/` holds every one. (A task without `data` is asked of the study's corpus.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Annotated, Any

from omegaconf import MISSING

from dfwe.conf import option_names
from dfwe.values.allowed import (
    As,
    Count,
    Name,
    Natural,
    NonNegative,
    OneOf,
    Pair,
    PartialShare,
    Pattern,
    Positive,
    Repository,
    Share,
    Size,
    Where,
    Within,
    per_class,
)
from dfwe.values.names import MergeName, ModelName
from dfwe.values.signature import Part

STAGES = ("train", "finetune", "baseline", "merge", "evaluate")
SCORED = ("likelihood", "harness")  # ways of tasks whose documents are scored as they are: none can be trained on
OWN_WAYS = ("labels", "candidates", "greedy", *SCORED)  # of answering, that a task can have
OTHER_WAYS = ("labels", "greedy", "reference")


def option_of(group: str) -> OneOf:
    """Return the choices of a group in conf/, that Hydra does not compose itself."""
    return OneOf(find=lambda: option_names(group))


def _is_each_once(values: Sequence[Any]) -> bool:
    return len(set(values)) == len(values)


def _is_rising(values: Sequence[int | float]) -> bool:
    return len(values) > 1 and all(low < high for low, high in pairwise(values))


# OmegaConf would make texts of what YAML reads as others: a bare no is false
Labels = Annotated[list[Any], As(Annotated[list[Name], Where(_is_each_once, "(no two may be the same)")])]
APart = Annotated[Any, As(Part)]
Nothing = Annotated[dict[str, Any], Where(lambda keys: not keys, "without keys")] | None  # options named none are {}
MayBePart = Annotated[Any, As(Part | Nothing)]
Parts = Annotated[dict[str, Any], As(dict[str, Part])]
Devices = Count | Annotated[list[Natural], Where(bool, "that is not empty")] | Annotated[str, OneOf("auto")]


@dataclass
class TaskDataConfig:
    """Data that a task brings, whatever corpus the study has."""

    root: Name | None = MISSING  # the folder; null for data.files
    reader: APart = MISSING


@dataclass
class TaskConfig:
    """One task: how it is asked, answered and scored (conf/task)."""

    name: Name = MISSING
    default_sources: list[Name] = MISSING  # short names; used when this task is the target
    labels: Labels = MISSING  # in order; empty for free text
    decode: Annotated[str, OneOf(*OWN_WAYS)] = MISSING
    max_new_tokens: Count = MISSING
    prompt: APart = MISSING
    metrics: Parts = MISSING
    data: TaskDataConfig | None = None  # none: asked of the study's corpus
    head: MayBePart = None  # of a model with heads: its class and the columns that it reads; none: text to text alone


@dataclass
class FreshFirstConfig:
    """First epochs in which the parameters alone are trained that the base model's weights lack."""

    epochs: Count = MISSING  # of the training's
    learning_rate: Positive = MISSING


@dataclass
class FitConfig:
    """One kind of training: how long, how fast, what stops it."""

    epochs: Count = MISSING  # the cap
    patience: Count = MISSING  # epochs without a new best on dev
    learning_rate: Positive = MISSING
    stop_on: Annotated[str, OneOf("target", "own", "last")] = MISSING
    # none: all weights from the first epoch on
    fresh_first: Annotated[Any, As(FreshFirstConfig | None)] = None


@dataclass
class HeadProbeConfig:
    """How a head is fitted to a frozen encoder, by logistic or ridge regression."""

    l2: Positive = MISSING  # half the weight of the squared norm beside the sum of the examples' losses
    max_iterations: Count = MISSING  # of L-BFGS


@dataclass
class TrainerConfig:
    """What all trainings share, and the two kinds (conf/trainer)."""

    optimizer: APart = MISSING
    batch_size: Count = MISSING
    group_batches: Count = MISSING  # batches in a group that is sorted by length: more pad less, fewer shuffle more
    accumulate: Count = MISSING
    gradient_clip: Positive | None = MISSING  # null for none
    light_dropout: bool = MISSING  # on a CPU, dropout draws other random numbers than torch's, five times as fast
    precision: Annotated[str, OneOf("auto", "32-true", "bf16-mixed")] = MISSING
    accelerator: Annotated[str, OneOf("auto", "cpu", "gpu", "cuda")] = MISSING
    devices: Annotated[Any, As(Devices)] = MISSING  # of one machine
    num_nodes: Count = MISSING
    strategy: Annotated[str, OneOf("auto", "ddp", "ddp_find_unused_parameters_true")] = MISSING
    threads: Count | None = MISSING  # CPU threads; null for all
    checkpoint: bool = MISSING
    eval_tokens: dict[str, Count] = MISSING  # read at once in an evaluation, padding included, by kind of device
    text_tokens: dict[str, Count] = MISSING  # in a batch that free text is written for, likewise
    head_first: bool = MISSING  # heads of a classifier are fitted to the frozen encoder before anything is trained
    head_probe: HeadProbeConfig = MISSING
    train: FitConfig = MISSING
    finetune: FitConfig = MISSING


PerClass = Annotated[str, Where(per_class, "such as '8 per class'")]
Shots = Annotated[str, OneOf("all")] | PerClass | Annotated[float, Within(above=0, below=1)] | Count


@dataclass
class PretrainDataConfig:
    """The corpus of a training before the study."""

    generator: MayBePart = MISSING
    root: Name | None = MISSING
    reader: MayBePart = MISSING
    files: Name | None = MISSING
    max_invalid_fraction: Share = MISSING
    shots: Annotated[Any, As(Shots | dict[str, Shots])] = "all"  # as data.shots


@dataclass
class PretrainConfig:
    """An ordinary training stage before the study: its own corpus and tasks."""

    data: Annotated[Any, As(PretrainDataConfig)] = MISSING
    tasks: dict[str, TaskConfig] = MISSING
    batch_size: Count = MISSING
    fit: FitConfig = MISSING
    options: dict[str, Any] = MISSING  # changes to the family's own options of a training


Targets = Annotated[list[Name], Where(lambda names: bool(names) and _is_each_once(names), "(one at least, each once)")]


@dataclass
class LoraConfig:
    """Low-rank factors that are trained in place of all weights, in PEFT's terms (conf/model/lora)."""

    rank: Count = MISSING
    alpha: Positive = MISSING  # the product of the factors counts alpha / rank
    dropout: PartialShare = MISSING  # of what the factors read
    rslora: bool = MISSING  # the product counts alpha / sqrt(rank)
    # all-linear, names of modules or the ends of their names, or a regular expression of whole names
    targets: Annotated[Any, As(Pattern | Targets)] = MISSING


MaxMemory = dict[Natural | Annotated[str, OneOf("cpu")], Size]  # of GPUs by their numbers, and of main memory


@dataclass
class ModelConfig:
    """Where the parent comes from (conf/model)."""

    name: Name = MISSING
    family: APart = MISSING  # its kind of model, and that kind's own settings (dfwe/families)
    source: APart = MISSING
    seed: Natural = MISSING  # of fresh weights and pre-training; apart from the study's, so that seeds share a parent
    max_source_tokens: Count = MISSING
    max_target_tokens: Natural = MISSING  # 0 where heads answer
    pretrain: PretrainConfig | None = MISSING
    lora: LoraConfig | None = None  # none: trainings change all weights
    # of models that are merged and not trained: how Transformers and accelerate spread one over devices, and how much
    # of each they may fill, as {0: 20GiB, cpu: 60GiB}
    device_map: Annotated[str, OneOf("auto", "balanced", "sequential")] | None = None
    max_memory: Annotated[Any, As(MaxMemory | None)] = None


@dataclass
class DataConfig:
    """Where instances come from (conf/data)."""

    generator: MayBePart = MISSING  # writes the corpus; null where `root` holds one, or where there is none
    root: Name | None = MISSING
    reader: MayBePart = MISSING
    files: Name | None = MISSING  # the folder of tasks with data of their own
    # all, a share of the dialogues, a number of instances, in all or per class, or a mapping from tasks to these
    shots: Annotated[Any, As(Shots | dict[str, Shots])] = MISSING
    shots_seed: Natural = MISSING
    # where texts for a teacher come from: null, the target's train split; sources; or a table of texts
    unlabelled: Name | None = MISSING
    max_truncated_fraction: Share = MISSING  # of a split's prompts, that may lose their beginning
    max_invalid_fraction: Share = MISSING  # of the rows of a file of a task's own data
    max_words: Natural = MISSING  # of a context; 0 for no limit
    truncation: Annotated[str, OneOf("context", "reference")] = MISSING


@dataclass
class LimitsConfig:
    """What ends a search beside its number of evaluations; null for no limit."""

    seconds: Positive | None = MISSING  # spent on evaluations
    dev_passes: Positive | None = MISSING  # a candidate that is stopped counts for its share


@dataclass
class BoxConfig:
    """Where a number may lie."""

    low: float = MISSING
    high: float = MISSING


def _is_box(box: Mapping[str, float]) -> bool:
    return {"low", "high"} <= box.keys() and box["low"] < box["high"]


Box = Annotated[BoxConfig, Where(_is_box, "with low below high")]


@dataclass
class MergeConfig:
    """A merge method, the search of its coefficients, and the selection among candidates (conf/merge)."""

    name: MergeName = MISSING
    method: APart = MISSING
    coefficients: Annotated[Any, As(Annotated[str, OneOf("simplex")] | Box)] = MISSING  # simplex, or a box {low, high}
    by: APart = MISSING  # what has coefficients of its own: the model, each layer, ...
    # settings of the method that are searched, too: {scale: {low: 0.3, high: 1.5}}
    tuned_parameters: Annotated[dict[str, Any], As(dict[str, Box])] = MISSING
    statistics: MayBePart = (
        MISSING  # what the method must know of the experts beside their weights, and how it is measured
    )
    lora: Annotated[str, OneOf("products", "factors")] = MISSING  # of LoRA experts; factors: PEFT's combinations, too
    experts_in: Annotated[str, OneOf("memory", "disk")] = MISSING  # disk: read from there in every candidate
    search: APart = MISSING
    baselines: list[Annotated[str, option_of("baseline")]] = field(default_factory=list)  # rows that come with it
    limits: LimitsConfig = MISSING
    selection: Annotated[Any, As(Annotated[str, option_of("merge/selection")] | Part)] = MISSING
    holdout: Annotated[Any, As(Annotated[str, option_of("merge/holdout")] | Part | Nothing)] = None
    surrogate: Annotated[Any, As(Annotated[str, option_of("merge/surrogate")] | Part | Nothing)] = None


MergeOption = Annotated[str, option_of("merge")]
SearchOption = Annotated[str, option_of("merge/search")]
ZooMethods = Annotated[str, OneOf("all")] | MergeOption | list[MergeOption]
ZooSearches = Annotated[str, OneOf("all")] | SearchOption | list[SearchOption]


@dataclass
class ZooConfig:
    """Many merges of the same experts (experiment=merge_zoo)."""

    methods: Annotated[Any, As(ZooMethods)] = MISSING  # all, or a list of conf/merge's options; each with `search`
    search: SearchOption = MISSING
    # all, or a list of conf/merge/search's options; each with the linear mixture
    searches: Annotated[Any, As(ZooSearches)] = MISSING
    budget: Count = MISSING  # evaluations of each


@dataclass
class MultitaskTrainingConfig:
    """A model of a multitask study: what it is trained on, and how (conf/multitask/base.yaml says what each key is)."""

    title: str | None = None
    tasks: Annotated[list[str], Where(bool, "that is not empty")] = MISSING
    start: str | None = None
    schedule: Annotated[str, OneOf("joint", "round_robin", "alternating", "proportional")] = MISSING
    joint_epoch: Annotated[str, OneOf("shortest", "longest")] = MISSING
    surgery: Part | None = None
    weights: dict[str, NonNegative] = MISSING
    smart: Part | None = None
    heads: dict[str, dict[str, Any]] = MISSING
    fit: FitConfig = MISSING  # changes to trainer.train


@dataclass
class MultitaskMergeConfig:
    """A merge of a multitask study."""

    title: str | None = None
    merge: MergeOption = MISSING
    of: str = MISSING
    search: SearchOption = MISSING
    budget: Count = MISSING
    untrained_heads: bool = MISSING
    set: MergeConfig = MISSING


@dataclass
class BinsConfig:
    """Errors of a column by its gold number."""

    column: str = MISSING
    edges: Annotated[list[float], Where(_is_rising, "(in rising order, two at least)")] = MISSING


Score = Annotated[float, Within(at_least=-1, at_most=1)]


@dataclass
class MultitaskConfig:
    """A study of models with one encoder and a head per task (conf/multitask says what each key is)."""

    columns: dict[str, str] = MISSING  # tasks' short names by the names that tables have for them
    score: Annotated[list[str], Where(bool, "that is not empty")] = MISSING  # the columns that count
    training: Annotated[dict[str, Any], As(MultitaskTrainingConfig)] = MISSING  # of a model that says nothing else
    models: Annotated[dict[str, Any], As(dict[ModelName, MultitaskTrainingConfig])] = MISSING
    candidates: Annotated[Any, As(Annotated[str, OneOf("pareto")] | list[str])] = MISSING  # or models' names
    sets: dict[str, list[str]] = MISSING
    merge: Annotated[dict[str, Any], As(MultitaskMergeConfig)] = MISSING  # what a merge has where it says nothing else
    merges: Annotated[dict[str, Any], As(dict[ModelName, MultitaskMergeConfig])] = MISSING
    ablation: str | None = MISSING
    bins: Annotated[Any, As(BinsConfig | None)] = MISSING
    published: Annotated[Any, As(dict[str, list[Annotated[float, Within(at_least=-1, at_most=1)] | None]] | None)] = (
        MISSING
    )
    surgery: MayBePart = MISSING  # referred to by models
    smart: MayBePart = MISSING
    fisher: MayBePart = MISSING  # referred to by merges


@dataclass
class StagesConfig:
    """Which stages of the study run (conf/stages)."""

    skip: list[Annotated[str, OneOf(*STAGES[1:])]] = MISSING  # without training there is nothing to merge
    until: Annotated[str, OneOf(*STAGES)] = MISSING
    # epochs after which further experts on the sources end
    ladder: Annotated[list[Count], Where(_is_each_once, "(no two may be the same)")] = MISSING


@dataclass
class PathsConfig:
    """Where things lie."""

    store: Name = MISSING


@dataclass
class ReferenceConfig:
    """How the benchmark's code answers (decode=reference)."""

    do_sample: bool = MISSING
    num_beams: Count = MISSING
    repetition_penalty: Positive = MISSING
    max_length: Pair = MISSING  # tokens, the start among them
    seed: Natural = MISSING


@dataclass
class DecodingConfig:
    """The numbers of ways of answering; each task says its own number of tokens."""

    reference: ReferenceConfig = MISSING


@dataclass
class SubsetConfig:
    """Which of the sources a study takes (dfwe/studies/sources.py)."""

    size: Count = MISSING
    number: Natural | None = MISSING  # null for all
    order: Annotated[str, OneOf("names", "drawn")] = MISSING
    seed: Natural = MISSING  # of a drawn order


@dataclass
class SourceSelectionConfig:
    """Which of the sources a study takes, where it is to find that out (conf/source_selection, sources=auto)."""

    by: Parts = MISSING  # criteria by name; none: all sources are taken
    number: Count = MISSING  # of sources to take


@dataclass
class PushConfig:
    """Where an exported model goes on the Hub."""

    repo: Repository | None = MISSING  # user/name; null for nowhere
    private: bool = MISSING  # of a repository that is not there yet
    folder: Annotated[str, OneOf("best", "merged")] = MISSING


@dataclass
class StudyConfig:
    """The root."""

    seed: Natural = MISSING
    decode: Annotated[str, OneOf("task", "greedy", "reference")] = MISSING
    decoding: DecodingConfig = MISSING
    decoding_comparison: list[Annotated[str, OneOf(*OTHER_WAYS)]] = MISSING
    export: bool = MISSING
    max_shard_size: Size = MISSING
    export_experts: bool = MISSING
    push: PushConfig = MISSING
    report: bool = MISSING
    plan_only: bool = MISSING
    target: dict[str, TaskConfig] = MISSING
    sources: dict[str, TaskConfig] = MISSING
    sources_without_target: bool = MISSING
    experts: Annotated[Any, As(list[Name] | dict[ModelName, Name] | None)] = MISSING  # that were trained elsewhere
    base_model: Name | None = MISSING  # their common parent
    tokenizer: Annotated[str, OneOf("union", "base")] | None = MISSING  # one vocabulary for experts with added tokens
    preflight: bool = MISSING  # check them before one is loaded
    subset: SubsetConfig = MISSING
    source_selection: SourceSelectionConfig = MISSING
    model: ModelConfig = MISSING
    data: DataConfig = MISSING
    trainer: TrainerConfig = MISSING
    stages: StagesConfig = MISSING
    merge: MergeConfig | None = MISSING
    merges: dict[str, MergeConfig] = MISSING
    zoo: ZooConfig | None = MISSING
    baselines: list[Annotated[str, option_of("baseline")]] = MISSING
    baseline_settings: dict[str, Any] = MISSING  # changes to options of conf/baseline: {distilled: {temperature: 2}}
    diagnostics: list[Annotated[str, option_of("diagnostic")]] = MISSING
    multitask: MultitaskConfig | None = MISSING
    logger: MayBePart = MISSING
    executor: APart = MISSING  # where stages are made (conf/executor)
    paths: PathsConfig = MISSING
