"""Every case of the reference implementation's metrics that lies beside the repository, to 1e-6."""

import json
from pathlib import Path

import pytest

from dfwe.config.tasks import load_task
from dfwe.errors import MetricError
from dfwe.metrics.scorer import Scorer
from dfwe.metrics.span import ExactMatch, TokenF1Macro

ORACLE = Path(__file__).resolve().parents[3] / "shared" / "oracle" / "metrics"
TASKS = (
    "MELD_emotion_recognition",
    "emory_emotion_recognition",
    "character_identification",
    "personality_detection",
    "reading_comprehension",
    "question_answering",
    "relation_extraction",
)

pytestmark = pytest.mark.skipif(not ORACLE.is_dir(), reason="needs the cases in ../shared/oracle/metrics")


def cases(name):
    path = ORACLE / f"{name}.json"
    return json.loads(path.read_text())["cases"] if path.exists() else []


def texts(gold):
    """References as the metrics take them: a case has a label, codes, one answer, or several answers."""
    if isinstance(gold, str):
        return [gold]
    answers = gold if isinstance(gold, list) else [gold]
    return [answer["text"] if isinstance(answer, dict) else answer for answer in answers]


def all_cases():
    return [pytest.param(task, case, id=f"{task}: {case['name']}") for task in TASKS for case in cases(task)]


def extra_cases():
    return [pytest.param(case, id=case["name"]) for case in cases("extra_unanswerable_phrases")]


@pytest.mark.parametrize(("task", "case"), all_cases())
def test_metrics_match_the_reference_implementation(task, case):
    references = [texts(gold) for gold in case["gold"]]
    if "raises" in case and case["raises"] != "ZeroDivisionError":
        reason = "example 1 has no reference" if references else "of no examples is undefined"
        with pytest.raises(MetricError, match=reason):
            load_task(task).scorer.evaluate(case["generated"], references=references)
        return
    evaluation = load_task(task).scorer.evaluate(case["generated"], references=references)
    if "raises" in case:  # no overlap at all
        assert evaluation.metrics["token_F1-micro"] == 0.0
        return
    expected = {name.rsplit("_", 1)[0]: value for name, value in case["metrics"].items()}
    assert evaluation.metrics == pytest.approx(expected, abs=1e-6)
    assert evaluation.score == pytest.approx(case["task_score"], abs=1e-6)


@pytest.mark.parametrize("case", extra_cases())
def test_unanswerable_phrases_count_as_empty_answers(case):
    name = case["metrics"][0]
    (arguments,) = case["metric_kwargs"][name]
    metric = {"exact_match": ExactMatch, "token_f1": TokenF1Macro}[name](arguments["unanswerable_phrases"])
    references = [texts(gold) for gold in case["y_true"]]
    evaluation = Scorer({name: metric}).evaluate(case["y_pred"], references=references)
    assert evaluation.score == pytest.approx(next(iter(case["values"].values())), abs=1e-6)


def test_no_task_and_no_case_is_left_out():
    assert {path.stem for path in ORACLE.glob("*.json")} == {*TASKS, "extra_unanswerable_phrases"}
    assert len(all_cases()) > 100
