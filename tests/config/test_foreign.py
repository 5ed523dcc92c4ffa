"""What a stranger's file may make: dfwe's own classes of the kind that is asked for, and plain data; by attack."""

import copy
import os
import sys
import types
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from omegaconf import OmegaConf

from dfwe.config.foreign import bind_foreign, record
from dfwe.config.instantiate import plain
from dfwe.config.task_options import read_tasks
from dfwe.config.tasks import build_task, foreign_task
from dfwe.data.prompts.answers import AnswerFormat, Number
from dfwe.data.prompts.base import Prompt
from dfwe.data.prompts.template import Template
from dfwe.data.readers.base import Reader
from dfwe.errors import ConfigurationError, DfweError, ModelError
from dfwe.families.multi_head.heads.base import HeadSpec
from dfwe.families.multi_head.heads.classification import Classification
from dfwe.metrics.base import Metric
from dfwe.metrics.classification import Accuracy

ANSWER = {"_target_": "dfwe.data.prompts.answers.ClassLabel", "column": "mood", "labels": ["good", "bad"], "texts": {}}
PROMPT = {
    "_target_": "dfwe.data.prompts.template.Template",
    "task": "moods",
    "context": "{text}",
    "prompt": " mood:",
    "answer": ANSWER,
}
ACCURACY = {"_target_": "dfwe.metrics.classification.Accuracy", "labels": ["good", "bad"]}
TASK = {
    "name": "moods",
    "labels": ["good", "bad"],
    "decode": "labels",
    "max_new_tokens": 4,
    "prompt": PROMPT,
    "metrics": {"acc": ACCURACY},
}
CALLS = [
    "os.system",
    "os.mkdir",
    "shutil.copyfile",
    "pathlib.Path",
    "subprocess.run",
    "builtins.eval",
    "hydra.utils.get_method",
    "hydra.utils.instantiate",
    "omegaconf.OmegaConf.load",
    "dfwe.errors.sys.exit",
    "dfwe.store.store.shutil.rmtree",
    "dfwe.data.prompts.answers.math.exp",
    "dfwe.data.prompts.template.string.Formatter",
    "dfwe.data.prompts.template.AnswerFormat",  # imported there, at home elsewhere
    "dfwe.data.prompts.answers.AnswerFormat",  # an interface
    "dfwe.data.prompts.answers.single",  # a function
    "dfwe.data.prompts.answers.ClassLabel.__init__",
    "dfwe.data.prompts.answers.ClassLabel.gold",
    "dfwe.metrics.classification.Accuracy",  # a class of another kind
    "dfwe.data.fetch.fetch",
    "dfwe.store.prune.prune",
    "dfwe.merging.files.merge_files.merge_files",
    "dfwe.run.main",
    "dfwe.predict.main",
    "dfwe.data.prompts.none.ClassLabel",
    "dfwe.data.prompts..answers.ClassLabel",
    ".dfwe.data.prompts.answers.ClassLabel",
    "dfwe.data.prompts.answers.ClassLabel ",
    "dfwe.data.prompts.answers.ClassLabel\n",
    "dfwe.data.prompts.answers:ClassLabel",
    "dfwe/data/prompts/answers.ClassLabel",
    "dfwe.data.prompts.answers.Оne",  # a Cyrillic letter
    "ｄｆｗｅ.data.prompts.answers.ClassLabel",  # full-width letters, which Python's identifiers fold
    "dfwe.data.prompts.answers.__loader__",
    "dfwe",
    "",
    "${oc.env:PATH}",
    3,
    None,
    ["os.system"],
    {"_target_": "os.system"},
]
STRINGS = [
    "${oc.env:DFWE_SECRET}",
    "${oc.env:DFWE_SECRET,none}",
    "${oc.create:{_target_: os.system, command: 'touch ran'}}",
    "${oc.create:{_target_: pathlib.Path.touch, self: {_target_: pathlib.Path, _args_: [ran]}}}",
    "${oc.decode:'{_target_: os.system}'}",
    "${oc.select:name}",
    "${oc.deprecated:name}",
    "${oc.dict.keys:prompt}",
    "${oc.dict.values:prompt}",
    "${hydra:runtime.cwd}",
    "${run_name:}",
    "${touch:}",
    "${${name}}",
    "a ${oc.env:DFWE_SECRET} b",
    r"\${oc.env:DFWE_SECRET}",
    "${name}",
    "${..name}",
]


@pytest.fixture(autouse=True)
def _told(monkeypatch, tmp_path):
    """A secret that must not be read, a resolver that must not be called, a folder that must stay empty."""
    monkeypatch.setenv("DFWE_SECRET", "s3cret")
    monkeypatch.chdir(tmp_path)
    OmegaConf.register_new_resolver("touch", lambda: (tmp_path / "ran").touch(), replace=True)
    yield
    OmegaConf.clear_resolver("touch")
    assert list(tmp_path.iterdir()) == []


def changed(*path, to, of=TASK):
    """A copy of the task with another value there."""
    task = copy.deepcopy(of)
    place = task
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return task


def test_every_task_of_dfwe_can_be_described_by_a_file():
    for short, config in read_tasks().items():
        task, made = build_task(short, config=config), foreign_task(short, config=plain(config), where="here")
        assert (made.prompt, made.scorer, made.labels) == (task.prompt, task.scorer, task.labels)


def test_every_head_and_reader_can_be_described_by_a_file():
    for config in map(plain, read_tasks().values()):
        if config["head"] is not None and "pooling" in config["head"]:
            head = {key: value for key, value in config["head"].items() if key != "labels"}
            assert isinstance(bind_foreign(head, kind=HeadSpec, where="here"), HeadSpec)
        if config["data"] is not None and config["decode"] != "harness":  # tasks of lm-eval may run code of their own
            assert isinstance(bind_foreign(config["data"]["reader"], kind=Reader, where="here", root="x"), Reader)


@pytest.mark.parametrize("target", CALLS, ids=repr)
@pytest.mark.parametrize("place", [("prompt",), ("prompt", "answer")], ids="-".join)
def test_what_is_not_of_the_kind_is_never_called(place, target):
    with pytest.raises(ModelError, match="^here, `prompt`"):
        foreign_task("moods", config=changed(*place, "_target_", to=target), where="here")


@pytest.mark.parametrize(
    "target",
    [*(call for call in CALLS[:27] if call != ACCURACY["_target_"]), "dfwe.data.prompts.answers.ClassLabel"],
    ids=repr,
)
def test_what_is_not_a_metric_is_never_called(target):
    with pytest.raises(ModelError, match=r"which is not a Metric of dfwe: nothing else is run.*add --trust"):
        foreign_task("moods", config=changed("metrics", "acc", "_target_", to=target), where="here")


@pytest.mark.parametrize("text", STRINGS)
def test_no_text_of_a_file_is_ever_interpolated(text):
    task = foreign_task(
        "moods", config=changed("prompt", "prompt", to=text.replace("{", "{{").replace("}", "}}")), where="x"
    )
    assert task.prompt.prompt.replace("{{", "{").replace("}}", "}") == text
    task = foreign_task("moods", config=changed("prompt", "answer", "labels", to=[text]), where="x")
    assert task.prompt.answer.candidates == (text,)
    task = foreign_task("moods", config=changed("name", to=text), where="x")
    assert task.name == text


@pytest.mark.parametrize("text", STRINGS)
@pytest.mark.parametrize("place", [("prompt",), ("prompt", "answer"), ("metrics",), ("metrics", "acc")], ids="-".join)
def test_no_text_stands_for_an_object(place, text):
    with pytest.raises(ModelError, match="must be an object"):
        foreign_task("moods", config=changed(*place, to=text), where="x")


@pytest.mark.parametrize(
    "given",
    [
        {"_target_": "os.system", "command": "touch ran"},
        [{"_target_": "os.system"}],
        {"a.b": {"_target_": "os.system"}},
    ],
    ids=repr,
)
@pytest.mark.parametrize(
    "place",
    [
        ("name",),
        ("labels",),
        ("decode",),
        ("max_new_tokens",),
        ("prompt", "task"),
        ("prompt", "unlabelled"),
        ("prompt", "answer", "column"),
        ("prompt", "answer", "labels"),
        ("prompt", "answer", "texts"),
        ("metrics", "acc", "labels"),
        ("metrics", "acc"),
    ],
    ids="-".join,
)
def test_no_value_names_a_class(place, given):
    with pytest.raises(ModelError, match="^x, " + ", ".join(f"`{key}`" for key in place)):
        foreign_task("moods", config=changed(*place, to=given), where="x")


@pytest.mark.parametrize(
    "key",
    ["_args_", "_partial_", "_convert_", "_recursive_", "_foo_", "__class__", "__dict__", "a.b", "self", "nöpe", "", 3],
)
def test_nothing_but_constructors_arguments_is_obeyed(key):
    for place in (("prompt",), ("prompt", "answer"), ("metrics", "acc")):
        with pytest.raises(ModelError, match="is not an argument of"):
            foreign_task("moods", config=changed(*place, key, to=["touch ran"]), where="x")


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("labels",), "good", "x, `labels` must be a list, not good"),
        (("labels",), [True, False], "x, `labels` must be a text, not True"),
        (("decode",), "sample", "`decode` must be one of labels, candidates, greedy, likelihood, harness, not sample"),
        (("max_new_tokens",), 1.5, "`max_new_tokens` must be a whole number, not 1.5"),
        (("max_new_tokens",), True, "`max_new_tokens` must be a whole number, not True"),
        (("max_new_tokens",), 0, "`max_new_tokens` of moods must be 1 or more, not 0"),
        (("prompt", "answer", "texts"), ["+"], "`answer`, `texts` must be an object, not a list"),
        (("prompt", "unlabelled"), "yes", "`unlabelled` must be true or false, not yes"),
        (("metrics",), [], "`metrics` must be an object, not a list"),
        (("metrics", "acc", "labels"), None, "`acc`, `labels` must be a list, not None"),
    ],
)
def test_a_value_of_another_type_is_named_with_its_place(place, value, message):
    with pytest.raises(DfweError, match=message):
        foreign_task("moods", config=changed(*place, to=value), where="x")


@pytest.mark.parametrize("config", [None, [], "x", 3, {}, {"name": "x"}], ids=repr)
def test_what_is_not_a_task_is_refused(config):
    with pytest.raises(ModelError, match="x (must be an object|lacks `)"):
        foreign_task("moods", config=config, where="x")


def test_an_argument_that_is_missing_is_said():
    with pytest.raises(ModelError, match="x lacks `labels`, which Accuracy needs"):
        bind_foreign({"_target_": ACCURACY["_target_"]}, kind=Metric, where="x")


def test_a_name_of_another_module_imports_nothing():
    before = set(sys.modules)
    for target in ("this.s", "antigravity.x", "dfwe.report.command.Main", "dfwe.execution.ray.worker.CandidateWorker"):
        with pytest.raises(ModelError):
            bind_foreign({"_target_": target}, kind=AnswerFormat, where="x")
    assert set(sys.modules) - before == set()


def test_a_number_with_too_many_steps_is_refused():
    config = {"_target_": "dfwe.data.prompts.answers.Number", "column": "x", "low": 0, "high": 1e9, "decimals": 2}
    with pytest.raises(ConfigurationError, match="steps"):
        bind_foreign(config | {"step": 1e-9}, kind=AnswerFormat, where="x")
    with pytest.raises(ConfigurationError, match="decimals"):
        bind_foreign(config | {"step": 1e8, "decimals": 10**9}, kind=AnswerFormat, where="x")


def test_numbers_may_be_whole_and_classes_have_their_defaults():
    config = {"_target_": "dfwe.data.prompts.answers.Number", "column": "x", "low": 0, "high": 5, "step": 1}
    assert bind_foreign(config | {"decimals": 0}, kind=AnswerFormat, where="x") == Number("x", 0.0, 5.0, 1.0, 0)
    assert bind_foreign(ACCURACY, kind=Metric, where="x") == Accuracy(["good", "bad"])
    assert isinstance(bind_foreign(PROMPT, kind=Prompt, where="x"), Template)
    head = {
        "_target_": "dfwe.families.multi_head.heads.classification.Classification",
        "columns": ["a"],
        "pooling": "mean",
    }
    assert isinstance(bind_foreign(head | {"dropout": 0.1}, kind=HeadSpec, where="x"), Classification)


@dataclass(frozen=True)
class Whole:
    """A plain record."""

    names: Sequence[str]
    number: int | None
    more: object = None


def test_a_record_takes_its_fields_and_leaves_others():
    assert record(Whole, {"names": ["a"], "number": None, "new": 3}, where="x") == Whole(["a"], None)
    with pytest.raises(ModelError, match="x, `number` must be a whole number, not a text"):
        record(Whole, {"names": [], "number": "a text"}, where="x")
    with pytest.raises(ModelError, match="x lacks `number`"):
        record(Whole, {"names": []}, where="x")


class Lenient(Accuracy):
    """A user's own metric."""


def test_the_users_word_runs_classes_from_anywhere_and_still_interpolates_nothing(monkeypatch):
    monkeypatch.setitem(sys.modules, "my_metrics", types.SimpleNamespace(Lenient=Lenient))
    config = changed("metrics", "acc", "_target_", to="my_metrics.Lenient")
    config = changed("metrics", "acc", "labels", to=["${oc.env:DFWE_SECRET}"], of=config)
    with pytest.raises(ModelError, match="add --trust if you know who wrote it"):
        foreign_task("moods", config=config, where="x")
    made = foreign_task("moods", config=config, where="x", trusted=True).scorer.metrics["acc"]
    assert made == Lenient(["${oc.env:DFWE_SECRET}"])
    with pytest.raises(ModelError, match="gives a int, expected a Metric"):
        foreign_task("m", config=changed("metrics", "acc", to={"_target_": "os.getpid"}), where="x", trusted=True)
    assert os.environ["DFWE_SECRET"] == "s3cret"
