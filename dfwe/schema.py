"""The typed root of the configuration: every key, its type, its range or its choices.

Misspelt keys and wrong types fail when Hydra composes, ranges and choices when `dfwe.stages.complete` checks them; what
a `_target_` takes stands at its class, in the same words (`dfwe.values.allowed`). Fields carry no values here: `conf/`
holds every one. (A task without `data` is asked of the study's corpus.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from omegaconf import MISSING

from dfwe.conf import conf_dir
from dfwe.values.allowed import (
    Around,
    As,
    Count,
    Name,
    Natural,
    NonNegative,
    OneOf,
    OneOfFound,
    Pair,
    Positive,
    PositiveShare,
    Share,
    Where,
    Within,
)
from dfwe.values.names import MergeName, ModelName
from dfwe.values.signature import Part

STAGES = ("train", "finetune", "baseline", "merge", "evaluate")
OWN_WAYS = ("labels", "candidates", "greedy")  # of answering, that a task can have
OTHER_WAYS = ("labels", "greedy", "reference")


def option_of(group: str) -> OneOfFound:
    """Return the choices of a group in conf/, that Hydra does not compose itself."""
    return OneOfFound(lambda: tuple(sorted(path.stem for path in (conf_dir() / group).glob("*.yaml"))))


Texts = Annotated[list[Any], As(list[str])]  # of which OmegaConf does not make texts itself: YAML's bare no is false
Device = Annotated[str, OneOf("cpu", "cuda")]


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
    labels: Texts = MISSING  # in order; empty for free text
    decode: Annotated[str, OneOf(*OWN_WAYS)] = MISSING
    max_new_tokens: Count = MISSING
    prompt: Any = MISSING
    metrics: dict[str, Any] = MISSING
    data: TaskDataConfig | None = None  # none: asked of the study's corpus
    head: Any = None  # of a model with heads: its class and the columns that it reads; none: text to text alone


@dataclass
class FitConfig:
    """One kind of training: how long, how fast, what stops it."""

    epochs: Count = MISSING  # the cap
    patience: Count = MISSING  # epochs without a new best on dev
    learning_rate: Positive = MISSING
    stop_on: Annotated[str, OneOf("target", "own", "last")] = MISSING


@dataclass
class CompileConfig:
    """Whether a search compiles the encoder, and what that costs and brings (conf/trainer)."""

    when: Annotated[str, OneOf("auto", "always", "never")] = MISSING
    seconds: NonNegative = MISSING  # that compiling takes
    gain: Positive = MISSING  # how many times faster an evaluation is expected to be


@dataclass
class TrainerConfig:
    """What all trainings share, and the two kinds (conf/trainer)."""

    optimizer: Any = MISSING
    batch_size: Count = MISSING
    group_batches: Count = MISSING  # batches in a group that is sorted by length: more pad less, fewer shuffle more
    accumulate: Count = MISSING
    gradient_clip: Positive | None = MISSING  # null for none
    light_dropout: bool = MISSING  # on a CPU, dropout draws other random numbers than torch's, five times as fast
    precision: Annotated[str, OneOf("auto", "32-true", "bf16-mixed")] = MISSING
    accelerator: Annotated[str, OneOf("auto", "cpu", "gpu", "cuda")] = MISSING
    threads: Count | None = MISSING  # CPU threads; null for all
    checkpoint: bool = MISSING
    eval_tokens: dict[str, Count] = MISSING  # read at once in an evaluation, padding included, by kind of device
    text_tokens: dict[str, Count] = MISSING  # in a batch that free text is written for, likewise
    compile: CompileConfig = MISSING
    train: FitConfig = MISSING
    finetune: FitConfig = MISSING


@dataclass
class PretrainConfig:
    """An ordinary training stage before the study: its own corpus and tasks."""

    data: Any = MISSING
    tasks: dict[str, TaskConfig] = MISSING
    batch_size: Count = MISSING
    fit: FitConfig = MISSING


@dataclass
class ModelConfig:
    """Where the parent comes from (conf/model)."""

    name: Name = MISSING
    source: Any = MISSING
    seed: Natural = MISSING  # of fresh weights and pre-training; apart from the study's, so that seeds share a parent
    max_source_tokens: Count = MISSING
    max_target_tokens: Natural = MISSING  # 0 where heads answer
    pretrain: PretrainConfig | None = MISSING


Shots = Annotated[str, OneOf("all")] | Annotated[float, Within(above=0, below=1)] | Count


@dataclass
class DataConfig:
    """Where instances come from (conf/data)."""

    generator: Any = MISSING  # writes the corpus; null where `root` holds one, or where there is none
    root: str | None = MISSING
    reader: Any = MISSING
    files: str | None = MISSING  # the folder of tasks with data of their own
    # all, a share of the dialogues, a number of instances, or a mapping from tasks to these
    shots: Annotated[Any, As(Shots | dict[str, Shots])] = MISSING
    shots_seed: Natural = MISSING
    max_cut_share: Share = MISSING  # of a split's prompts, that may lose their beginning
    max_bad_share: Share = MISSING  # of the rows of a file of a task's own data
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


@dataclass
class SearchConfig:
    """What stands around a search, beside what its own class takes."""

    confirm: Annotated[str, OneOf("held_back", "folds")] | None = None
    shrink: list[PositiveShare] = MISSING
    confirms: dict[str, Any] = MISSING
    surrogate: Annotated[str, OneOf("logits")] | None = None
    surrogates: dict[str, Any] = MISSING


def _is_box(box: Mapping[str, float]) -> bool:
    return {"low", "high"} <= box.keys() and box["low"] < box["high"]


Box = Annotated[BoxConfig, Where(_is_box, "with low below high")]


@dataclass
class MergeConfig:
    """A rule, and how its coefficients are found and picked (conf/merge)."""

    name: MergeName = MISSING
    rule: Any = MISSING
    coefficients: Annotated[Any, As(Annotated[str, OneOf("simplex")] | Box)] = MISSING  # simplex, or a box {low, high}
    by: Any = MISSING  # what has coefficients of its own: the model, each layer, ...
    # settings of the rule that are searched, too: {scale: {low: 0.3, high: 1.5}}
    searched: Annotated[dict[str, Any], As(dict[str, Box])] = MISSING
    statistics: Any = MISSING  # what the rule must know of the experts beside their weights, and how it is measured
    search: Annotated[Any, As(Annotated[dict[str, Any], Around(SearchConfig)])] = MISSING
    limits: LimitsConfig = MISSING
    pick: Annotated[Any, As(Annotated[str, option_of("merge/pick")] | Part)] = MISSING


MergeOption = Annotated[str, option_of("merge")]
SearchOption = Annotated[str, option_of("merge/search")]
ZooRules = Annotated[str, OneOf("all")] | MergeOption | list[MergeOption]
ZooSearches = Annotated[str, OneOf("all")] | SearchOption | list[SearchOption]


@dataclass
class ZooConfig:
    """Many merges of the same experts (experiment=merge_zoo)."""

    rules: Annotated[Any, As(ZooRules)] = MISSING  # all, or a list of conf/merge's options; each with `search`
    search: SearchOption = MISSING
    # all, or a list of conf/merge/search's options; each with the linear mixture
    searches: Annotated[Any, As(ZooSearches)] = MISSING
    budget: Count = MISSING  # evaluations of each


@dataclass
class ChangedFitConfig:
    """Changes to one kind of training."""

    epochs: Count = MISSING
    patience: Count = MISSING
    learning_rate: Positive = MISSING
    stop_on: Annotated[str, OneOf("target", "own", "last")] = MISSING


@dataclass
class MultitaskTrainingConfig:
    """A model of a multitask study: what it is trained on, and how (conf/multitask/base.yaml says what each key is)."""

    title: str | None = None
    tasks: Annotated[list[str], Where(bool, "that is not empty")] = MISSING
    start: str | None = None
    schedule: Annotated[str, OneOf("joint", "round_robin", "alternating")] = MISSING
    joint_epoch: Annotated[str, OneOf("shortest", "longest")] = MISSING
    surgery: Part | None = None
    weights: dict[str, NonNegative] = MISSING
    smart: Part | None = None
    heads: dict[str, dict[str, Any]] = MISSING
    fit: ChangedFitConfig = MISSING


@dataclass
class MultitaskMergeConfig:
    """A merge of a multitask study."""

    title: str | None = None
    merge: MergeOption = MISSING
    of: str = MISSING
    search: SearchOption = MISSING
    budget: Count = MISSING
    untrained_heads: bool = MISSING
    set: dict[str, Any] = MISSING


@dataclass
class BinsConfig:
    """Errors of a column by its gold number."""

    column: str = MISSING
    edges: list[float] = MISSING


@dataclass
class MultitaskConfig:
    """A study of models with one encoder and a head a task (conf/multitask says what each key is)."""

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
    published: Annotated[Any, As(dict[str, list[float | None]] | None)] = MISSING
    surgery: Any = MISSING  # referred to by models
    smart: Any = MISSING
    fisher: Any = MISSING  # referred to by merges


@dataclass
class StagesConfig:
    """Which stages of the study run (conf/stages)."""

    skip: list[Annotated[str, OneOf(*STAGES[1:])]] = MISSING  # without training there is nothing to merge
    until: Annotated[str, OneOf(*STAGES)] = MISSING


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
    """Which of the sources a study takes (dfwe/stages/subset.py)."""

    size: Count = MISSING
    number: Natural | None = MISSING  # null for all
    order: Annotated[str, OneOf("names", "drawn")] = MISSING
    seed: Natural = MISSING  # of a drawn order


@dataclass
class ChoiceConfig:
    """Which of the sources a study takes, where it is to find that out (conf/choice, sources=auto)."""

    by: dict[str, Any] = MISSING  # criteria by name; none: all sources are taken
    number: Count = MISSING  # of sources to take


@dataclass
class StudyConfig:
    """The root."""

    seed: Natural = MISSING
    decode: Annotated[str, OneOf("task", "greedy", "reference")] = MISSING
    decoding: DecodingConfig = MISSING
    agreement: list[Annotated[str, OneOf(*OTHER_WAYS)]] = MISSING
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
    controls: list[Annotated[str, option_of("control")]] = MISSING
    probes: list[Annotated[str, option_of("probe")]] = MISSING
    multitask: MultitaskConfig | None = MISSING
    logger: Any = MISSING
    executor: Any = MISSING  # where stages are made (conf/executor)
    paths: PathsConfig = MISSING
