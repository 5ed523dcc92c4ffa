"""A user's own metric in a task's YAML: called where it is theirs, never where a stranger's file names it."""

import json

import pytest

from dfwe.config.tasks import build_task, foreign_task
from dfwe.errors import ConfigurationError, MetricError, ModelError
from dfwe.metrics.function import FunctionMetric

BASE = {
    "name": "plants",
    "labels": [],
    "decode": "greedy",
    "max_new_tokens": 4,
    "prompt": {
        "_target_": "dfwe.data.prompts.template.Template",
        "task": "plants",
        "context": "{text}",
        "prompt": "?",
        "answer": {"_target_": "dfwe.data.prompts.answers.FreeText", "texts": ["y"], "separator": None},
    },
}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("open(__file__ + '.ran', 'w')\ndef score(predictions, references):\n    return 0.5\n")
    return path


def config(**metric):
    return {**BASE, "metrics": {"mine": metric}}


def test_a_function_is_a_metric(file, monkeypatch):
    monkeypatch.syspath_prepend(file.parent)
    short = build_task("plants", config=config(_target_="mine.score"))
    long = build_task("plants", config=config(_target_="dfwe.metrics.function.own_function", function=f"{file}:score"))
    for task in (short, long):
        assert isinstance(task.scorer.metrics["mine"], FunctionMetric)
        assert task.scorer.evaluate(["a"], references=[["a"]]).score == 0.5


def test_another_source_makes_other_results(file):
    part = {"_target_": "dfwe.metrics.function.own_function", "function": f"{file}:score"}
    before = build_task("plants", config=config(**part)).spec()
    assert before == build_task("plants", config=config(**part)).spec()
    file.write_text(file.read_text().replace("0.5", "0.6"))
    assert build_task("plants", config=config(**part)).spec() != before


def test_a_strangers_file_never_runs_it(file):
    part = {"_target_": "dfwe.metrics.function.own_function", "function": f"{file}:score"}
    task = foreign_task("plants", config=json.loads(json.dumps(config(**part))), where="dfwe.json")
    with pytest.raises(MetricError, match="add --trust"):
        task.scorer.evaluate(["a"], references=[["a"]])
    assert not file.with_name("mine.py.ran").exists()
    trusted = foreign_task("plants", config=config(**part), where="dfwe.json", trusted=True)
    assert trusted.scorer.evaluate(["a"], references=[["a"]]).score == 0.5


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("os.system", "`mine` names 'os.system', which is not a Metric of dfwe"),
        ("mine.score", "`mine` names 'mine.score', which is not a Metric of dfwe"),
        ("dfwe.metrics.function.FunctionMetric", "`mine`, `function` must be a list, not os:system"),
    ],
)
def test_a_strangers_file_cannot_name_code(target, reason):
    with pytest.raises(ModelError, match=reason):
        foreign_task("plants", config=config(_target_=target, function="os:system"), where="dfwe.json")


def test_a_missing_function_is_one_line(file):
    part = {"_target_": "dfwe.metrics.function.own_function", "function": f"{file}:other"}
    with pytest.raises(ConfigurationError, match="has no function other"):
        build_task("plants", config=config(**part))
