"""Shared by all tests: annotations are checked while they run, and nothing reaches a network."""

import json
import logging
import os
import subprocess
import sys
from collections import Counter
from functools import cache, wraps
from pathlib import Path

import jaxtyping
import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["WANDB_MODE"] = "offline"
os.environ["OMP_NUM_THREADS"] = "1"  # the suite runs one process a core
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # a hundred processes would compile all of dfwe, each for itself
sys.dont_write_bytecode = False

# checking every call is half of many tests' time: only modules that annotate shapes are checked, and first calls
_ROOT = Path(__file__).parent.parent
_WITH_SHAPES = [
    ".".join(path.relative_to(_ROOT).with_suffix("").parts)
    for path in sorted((_ROOT / "dfwe").rglob("*.py"))
    if "from jaxtyping import" in path.read_text(encoding="utf8")
]
_CHECKED_CALLS = 20  # of each function in a test, and of the functions that another one makes
_TEST = [0]  # the number of the test that runs


def _check_first_calls(jaxtyped):
    """Replace jaxtyping's decorator by one that lets further calls through unchecked."""
    made = Counter()

    def limited(plain, checked):
        test, num_calls = _TEST[0], 0

        @wraps(plain)
        def call(*arguments, **named):
            nonlocal test, num_calls
            test, num_calls = _TEST[0], num_calls + 1 if test == _TEST[0] else 1
            return (checked if num_calls <= _CHECKED_CALLS else plain)(*arguments, **named)

        return call

    def decorator(*, typechecker):
        def decorate(thing):
            if isinstance(thing, type):
                plain = thing.__init__
                jaxtyped(thing, typechecker=typechecker)
                if thing.__init__ is not plain:
                    thing.__init__ = limited(plain, thing.__init__)
                return thing
            made[thing.__code__] += 1
            if made[thing.__code__] > _CHECKED_CALLS:
                return thing
            return limited(thing, jaxtyped(thing, typechecker=typechecker))

        return decorate

    return decorator


jaxtyping.jaxtyped = _check_first_calls(jaxtyping.jaxtyped)
jaxtyping.install_import_hook(_WITH_SHAPES, "beartype.beartype")


TEXTS = [
    "context: Monica Vale: I feel glad. emotion:",
    "joy",
    "anger",
    "neutral",
    "context: Ross Dahl: That makes me furious. emotion:",
    "fear",
    "sadness",
    "what is it? answer:",
]


@pytest.fixture(autouse=True)
def checked_calls():
    """Check first calls in each test anew."""
    _TEST[0] += 1


@pytest.fixture(autouse=True)
def unconfigured_logging():
    """Undo the `-v` or `-q` of a command that ran in this process, and its handler, whose stream the test closes."""
    logging.getLogger("dfwe").setLevel(logging.NOTSET)
    yield
    logging.getLogger("dfwe").setLevel(logging.NOTSET)
    root = logging.getLogger()
    root.setLevel(logging.WARNING)
    for handler in [each for each in root.handlers if type(each) is logging.StreamHandler]:  # not pytest's own
        root.removeHandler(handler)


@pytest.fixture(scope="session")
def run_module(tmp_path_factory):
    """A function that runs `python -m MODULE ARGUMENTS` like `subprocess.run`, in a fork that has the heavy imports.

    What a command imports, and how it meets signals, is for tests with processes from the start.
    """
    server = Path(__file__).with_name("forked_commands.py")
    files = {name: tmp_path_factory.mktemp("forked") / name for name in ("stdout", "stderr")}
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, str(server)], stdin=pipe, stdout=pipe, text=True) as process:

        def run(module, *arguments, cwd=None, seconds=300, at_once=1):
            for file in files.values():
                file.write_bytes(b"")
            request = {"module": module, "arguments": arguments, "cwd": str(cwd or Path.cwd()), "seconds": seconds}
            request |= {"at_once": at_once, "env": dict(os.environ)}
            request |= {name: str(file) for name, file in files.items()}
            print(json.dumps(request), file=process.stdin, flush=True)
            code = int(process.stdout.readline())
            return subprocess.CompletedProcess(arguments, code, *(file.read_text() for file in files.values()))

        yield run


@pytest.fixture(scope="session")
def tiny_t5(tmp_path_factory) -> Path:
    """A Hugging Face folder with a tiny random T5 and a tokenizer."""
    from dfwe.families.seq2seq.weights import FreshT5

    folder = tmp_path_factory.mktemp("tiny_t5")
    config = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2, "dropout_rate": 0.1}
    FreshT5(vocab_size=300, config=config).build(folder, seed=1, texts=TEXTS)
    return folder


@pytest.fixture
def model(tiny_t5):
    """A fresh copy of the tiny T5."""
    from transformers import AutoModelForSeq2SeqLM

    return AutoModelForSeq2SeqLM.from_pretrained(tiny_t5)


@pytest.fixture(scope="session")
def tokenizer(tiny_t5):
    """Its tokenizer."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_t5)


@pytest.fixture(scope="session")
def composed():
    """A function from overrides to the composed configuration, of its own; stores aside each is composed once."""
    from hydra import compose, initialize_config_dir

    from dfwe.conf import conf_dir
    from dfwe.config.task_options import register

    @cache
    def composition(overrides):
        register()
        with initialize_config_dir(str(conf_dir()), version_base="1.3"):
            return compose("config", overrides=list(overrides))

    def configuration(*overrides):
        stores = [override for override in overrides if override.startswith("paths.store=/")]
        config = composition(tuple(override for override in overrides if override not in stores)).copy()
        for override in stores:
            config.paths.store = override.removeprefix("paths.store=")
        return config

    return configuration


MOOD = """
name: moods
default_sources: [taste]
labels: [good, bad]
decode: labels
max_new_tokens: 4
prompt:
  _target_: dfwe.data.prompts.template.Template
  task: ${..name}
  context: "{text}"
  prompt: " mood:"
  answer:
    _target_: dfwe.data.prompts.answers.ClassLabel
    column: mood
    labels: ${...labels}
    texts: {"+": good, "-": bad}
metrics:
  acc: {_target_: dfwe.metrics.classification.Accuracy, labels: "${...labels}"}
data:
  root: null
  reader:
    _target_: dfwe.data.readers.table.Table
    files:
      train:
        _target_: dfwe.data.readers.delimited.Delimited
        path: mood.csv
        delimiter: ","
        quoting: true
        columns: null
        encoding: utf-8
        rename: {}
    holdout_fractions: {dev: 0.25, test: 0.25}
    seed: 0
    id: null
    group: null
    exclude: {mood: ["?"]}
"""
TASTE = """
name: tastes
default_sources: [mood]
labels: []
decode: greedy
max_new_tokens: 4
prompt:
  _target_: dfwe.data.prompts.template.Template
  task: ${..name}
  context: "{dish}"
  prompt: " taste:"
  answer: {_target_: dfwe.data.prompts.answers.FreeText, texts: [taste], separator: null}
metrics:
  Exact_Match: {_target_: dfwe.metrics.span.ExactMatch}
data:
  root: null
  reader:
    _target_: dfwe.data.readers.table.Table
    files:
      train: {_target_: dfwe.data.readers.json_lines.JsonLines, path: taste.jsonl, encoding: utf-8, rename: {}}
    holdout_fractions: {dev: 0.3, test: 0.3}
    seed: 0
    id: null
    group: null
    exclude: {}
"""


@pytest.fixture(scope="session")
def my_conf(tmp_path_factory) -> Path:
    """A user's configuration folder with two tasks of rows, `mood` and `taste`."""
    folder = tmp_path_factory.mktemp("my_conf")
    (folder / "task").mkdir()
    (folder / "task" / "mood.yaml").write_text(MOOD)
    (folder / "task" / "taste.yaml").write_text(TASTE)
    return folder


@pytest.fixture
def my_files(tmp_path) -> Path:
    """Their files: 20 moods, two of them left out on purpose, and 12 tastes."""
    rows = [f'"The {n}th kettle, {word}.",{mark}' for n in range(10) for word, mark in (("warm", "+"), ("cold", "-"))]
    rows[4:4] = ["Nobody knows.,?", "Who can tell?,?"]
    (tmp_path / "mood.csv").write_text("\n".join(["text,mood", *rows]) + "\n")
    tastes = [f'{{"dish": "pie number {n}", "taste": "{"sweet" if n % 2 else "sour"}"}}\n' for n in range(12)]
    (tmp_path / "taste.jsonl").write_text("".join(tastes))
    return tmp_path


SMALL = (
    "sources=[emory_emotion,personality]",
    "model.pretrain=null",
    "model.source.vocab_size=400",
    "model.source.config={d_model: 16, d_kv: 8, d_ff: 32, num_layers: 1, num_heads: 2, initializer_factor: 3.0}",
    "trainer.train={epochs: 2, learning_rate: 0.05}",  # enough for models to differ in their answers
    "trainer.finetune={epochs: 2, learning_rate: 0.05}",
    "trainer.precision=32-true",
    "trainer.checkpoint=false",
    "trainer.threads=1",
    "merge.search.budget=4",
    "baselines=[]",
    "diagnostics=[]",
    "report=false",  # most tests read no page
)

FEW_DIALOGUES = ("data.generator.num_train=12", "data.generator.num_dev=8", "data.generator.num_test=8")


@pytest.fixture(scope="session")
def small_overrides():
    """What makes a study small, its target and store aside."""
    return (*SMALL, *FEW_DIALOGUES)


@pytest.fixture(scope="session")
def small(composed):
    """A function from a store's folder and further overrides to the configuration."""

    def configuration(store, *overrides):
        data = () if "data=friends" in overrides else FEW_DIALOGUES
        target = () if any(each.startswith("+target=") for each in overrides) else ("+target=meld",)
        return composed(*target, *SMALL, *data, f"paths.store={store}", *overrides)

    return configuration


@pytest.fixture(scope="session")
def ran(small, tmp_path_factory):
    """The folder of a small study that has run, with its page; its store; its configuration, without a page."""
    from dfwe.run_study import run_study

    folder, store = tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("store")
    run_study(small(store, "report=true"), folder=folder)
    return folder, store, small(store)


ROWS = "{train: 24, dev: 12, test: 12}"
SMALL_HEADS = (
    "model.pretrain=null",
    "model.source.vocab_size=300",
    "model.source.config={hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 32, "
    "max_position_embeddings: 128, initializer_range: 0.5}",
    "model.max_source_tokens=128",
    *(f"data.generator.rows.{task}={ROWS}" for task in ("sentiment", "paraphrase", "similarity", "inference")),
    "data.generator.rows.topic={train: 4, dev: 2, test: 2}",
    "data.generator.rows.overlap={train: 4, dev: 2, test: 2}",
    "trainer.train.epochs=1",
    "trainer.checkpoint=false",
    "report=false",
)


@pytest.fixture(scope="session")
def small_heads(composed):
    """A function from a store's folder, an experiment and further overrides to the configuration."""

    def configuration(store, *overrides, experiment="cuts_and_stitches"):
        return composed(f"experiment={experiment}", *SMALL_HEADS, f"paths.store={store}", *overrides)

    return configuration


@pytest.fixture(scope="session")
def heads_tables(small_heads):
    """The same for the tables of "Cuts and Stitches"; few evaluations and examples."""

    def configuration(store, *overrides):
        few = (
            "multitask.models.snli.fit.epochs=1",
            "multitask.merges.nelder_mead.budget=3",
            "multitask.fisher.examples=4",
            "multitask.candidates=[surgery,surgery_smart,surgery_snli]",
        )
        return small_heads(store, *few, *overrides)

    return configuration


@pytest.fixture(scope="session")
def ran_heads(heads_tables, tmp_path_factory):
    """The run's folder and the configuration of a study that has run."""
    from dfwe.run_study import run_study

    folder, store = tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("store")
    run_study(heads_tables(store, "report=true"), folder=folder)  # that its page can be drawn is a test, too
    return folder, heads_tables(store)


@pytest.fixture
def bert_pair():
    """A function that makes a tiny random encoder-decoder of two BERTs, or of their kin, with that many words."""

    import torch
    from transformers import BertConfig, EncoderDecoderConfig, EncoderDecoderModel

    def make(vocab_size, kin=BertConfig):
        torch.manual_seed(0)
        half = {"vocab_size": vocab_size, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
        half |= {"intermediate_size": 32, "max_position_embeddings": 40}
        config = EncoderDecoderConfig.from_encoder_decoder_configs(kin(**half), kin(**half))
        pair = EncoderDecoderModel(config).eval()
        pair.generation_config.decoder_start_token_id = 2
        pair.generation_config.pad_token_id = 0
        return pair

    return make


SENTENCES = [
    "the broth is mild and dull",
    "a merry tale",
    "is the kettle warm?",
    "the kettle is warm",
    "merry and mild",
]


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory) -> Path:
    """A Hugging Face folder with a tiny random BERT and a tokenizer."""
    from dfwe.families.encoder.weights import FreshBert

    folder = tmp_path_factory.mktemp("tiny_bert")
    config = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    FreshBert(vocab_size=300, config=config).build(folder, seed=1, texts=SENTENCES)
    return folder


@pytest.fixture(scope="session")
def word_tokenizer():
    """[PAD] 0, [CLS] 1, [SEP] 2, tea 3, warm 4, cold 5, [UNK] 6; a text stands between [CLS] and [SEP]."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = {word: number for number, word in enumerate(("[PAD]", "[CLS]", "[SEP]", "tea", "warm", "cold", "[UNK]"))}
    backend = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]", pad_token="[PAD]")


@pytest.fixture
def adapter(tmp_path):
    """adapter("a", layout, rank=3, whole=("norm",), seed=0): a LoRA folder for all matrices of the layout."""

    import torch
    from safetensors.torch import save_file

    def make(name, layout, *, rank=3, whole=(), seed=0, **config):
        generator, tensors = torch.Generator().manual_seed(seed), {}
        draw = lambda *shape: torch.randn(*shape, generator=generator)  # noqa: E731
        for key, shape in zip(layout.names, layout.shapes, strict=True):
            if any(key.endswith(end) for end in whole):
                tensors[f"base_model.model.{key}"] = draw(*shape)
            elif len(shape) == 2 and key.endswith(".weight"):
                module = f"base_model.model.{key.removesuffix('.weight')}"
                tensors[f"{module}.lora_A.weight"] = draw(rank, shape[1])
                tensors[f"{module}.lora_B.weight"] = draw(shape[0], rank)
        (tmp_path / name).mkdir()
        save_file(tensors, tmp_path / name / "adapter_model.safetensors")
        content = {"peft_type": "LORA", "lora_alpha": 5, "r": rank, **config}
        (tmp_path / name / "adapter_config.json").write_text(json.dumps(content))
        return tmp_path / name

    return make
