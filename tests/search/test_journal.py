from __future__ import annotations

import json
import logging
from dataclasses import replace

import numpy as np
import pytest

from dfwe.errors import MetricError, StoreError
from dfwe.records import Coefficients, Evaluation, PartialEvaluation, PrunedTrial, Trial
from dfwe.search.journal import Journal, encode_scores

NAMES = ("first", "second")


def scored(predictions):
    """The share of answers that are "yes"."""
    counts = np.array([[float(answer == "yes"), 1.0] for answer in predictions])
    score = float(counts[:, 0].mean())
    return Evaluation(score, {"share": score}, tuple(predictions), counts)


def trial(number, *, answers=("yes", "no", "yes"), weight=0.1):
    coefficients = Coefficients(NAMES, (weight * number, 1 - weight * number))
    return Trial(number, "search", coefficients, scored(answers), seconds=0.25)


def journal(folder):
    return Journal(folder, evaluate_predictions=scored)


def filled(folder, *, num=3):
    made = journal(folder)
    for number in range(1, num + 1):
        made.append(trial(number))
    return folder / "trials.jsonl", folder / "predictions.jsonl"


def essence(trials):
    return [(t.number, t.kind, t.coefficients, t.evaluation.score, t.evaluation.predictions, t.seconds) for t in trials]


def test_journal_absent_is_empty_without_files(tmp_path):
    assert journal(tmp_path / "search").trials == ()
    assert not (tmp_path / "search").exists()


def test_journal_reads_trials_back_bit_for_bit(tmp_path):
    filled(tmp_path / "deep" / "folder")
    found = journal(tmp_path / "deep" / "folder").trials
    assert essence(found) == essence([trial(1), trial(2), trial(3)])
    np.testing.assert_array_equal(found[0].evaluation.counts, [[1, 1], [0, 1], [1, 1]])


def test_journal_writes_a_line_per_trial_without_counts(tmp_path):
    trials, predictions = filled(tmp_path, num=2)
    lines = [json.loads(line) for line in trials.read_text().splitlines()]
    assert lines[1] == {
        "number": 2,
        "kind": "search",
        "coefficients": {"first": 0.2, "second": 0.8},
        "score": 2 / 3,
        "metrics": {"share": 2 / 3},
        "seconds": 0.25,
    }
    answers = [json.loads(line) for line in predictions.read_text().splitlines()]
    assert answers[0] == {"number": 1, "predictions": ["yes", "no", "yes"]}


def test_journal_reads_label_scores_back_bit_for_bit(tmp_path):
    scores = np.array([[-0.1, -np.inf], [1 / 3, -2.0], [0.0, -1e-30]], dtype=np.float32)
    made = replace(trial(1), evaluation=replace(scored(("yes", "no", "yes")), label_scores=scores))
    Journal(tmp_path / "kept", evaluate_predictions=scored, keep_label_scores=True).append(made)
    np.testing.assert_array_equal(journal(tmp_path / "kept").get(1).evaluation.label_scores, scores)
    journal(tmp_path / "left").append(made)
    assert journal(tmp_path / "left").get(1).evaluation.label_scores is None


@pytest.mark.parametrize("broken", [{"shape": [3, 2], "float32": "AAAA"}, encode_scores(np.zeros((2, 4)))])
def test_journal_broken_label_scores_raise(tmp_path, broken):
    _, predictions = filled(tmp_path, num=1)
    line = json.loads(predictions.read_text()) | {"label_scores": broken}
    predictions.write_text(json.dumps(line) + "\n")
    with pytest.raises(StoreError, match="line 1: this is not a trial of a search"):
        journal(tmp_path)


def test_journal_answers_may_have_any_character(tmp_path):
    journal(tmp_path).append(trial(1, answers=("yes", "line\nbreak\u2028 and é")))
    assert journal(tmp_path).get(1).evaluation.predictions == ("yes", "line\nbreak\u2028 and é")


@pytest.mark.parametrize("torn", ["trials.jsonl", "predictions.jsonl"])
@pytest.mark.parametrize("cut", [1, 10])
def test_journal_torn_last_line_is_dropped(tmp_path, caplog, torn, cut):
    filled(tmp_path)
    path = tmp_path / torn
    path.write_bytes(path.read_bytes()[:-cut])
    with caplog.at_level(logging.WARNING):
        again = journal(tmp_path)
    assert "the last line is torn" in caplog.text
    assert essence(again.trials) == essence([trial(1), trial(2)])
    again.append(trial(3, weight=0.2))
    assert essence(journal(tmp_path).trials) == essence([trial(1), trial(2), trial(3, weight=0.2)])


def test_journal_answers_without_trial_are_dropped(tmp_path):
    trials, predictions = filled(tmp_path)
    trials.write_text("".join(trials.read_text().splitlines(keepends=True)[:2]))
    assert len(journal(tmp_path).trials) == 2
    assert len(predictions.read_text().splitlines()) == 2


@pytest.mark.parametrize("broken", [b"{half a line\n", b"[1, 2]\n", b"\xff\xfe\n", b"\n"])
def test_journal_broken_inner_line_raises_and_cuts_nothing(tmp_path, broken):
    trials, _ = filled(tmp_path)
    lines = trials.read_bytes().splitlines(keepends=True)
    trials.write_bytes(lines[0] + broken + lines[2])
    before = trials.read_bytes()
    with pytest.raises(StoreError, match=r"trials\.jsonl, line 2: this is not a JSON object"):
        journal(tmp_path)
    assert trials.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"number": 7}, "line 2: trial 7 stands beside the answers of 2"),
        ({"number": 1}, "line 2: trial 1 stands beside the answers of 2"),
        ({"score": 0.9}, "line 2: the score is 0.9, but its answers score 0.66"),
        ({"coefficients": [0.5, 0.5]}, "line 2: this is not a trial of a search"),
        ({"kind": "guess"}, "line 2: this is not a trial of a search"),
        ({"seconds": "long"}, "line 2: this is not a trial of a search"),
    ],
)
def test_journal_changed_line_raises(tmp_path, change, message):
    trials, _ = filled(tmp_path)
    lines = [json.loads(line) for line in trials.read_text().splitlines()]
    lines[1] |= change
    trials.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(StoreError, match=message):
        journal(tmp_path)


def test_journal_files_of_two_searches_raise(tmp_path):
    trials, _ = filled(tmp_path)
    trials.write_text(trials.read_text().splitlines(keepends=True)[0])
    with pytest.raises(StoreError, match=r"has 1 trials, but predictions\.jsonl has answers for 3"):
        journal(tmp_path)


def test_journal_unscorable_answers_raise(tmp_path):
    filled(tmp_path)

    def strict(predictions):
        raise MetricError("3 predictions for 4 references")

    with pytest.raises(StoreError, match=r"line 1: its answers cannot be scored: 3 predictions for 4"):
        Journal(tmp_path, evaluate_predictions=strict)


def test_journal_get_returns_trial_by_number(tmp_path):
    filled(tmp_path)
    assert journal(tmp_path).get(2).coefficients == trial(2).coefficients
    assert journal(tmp_path).get(4) is None


def bounded(predictions):
    """All that is not known to be wrong may be right."""
    return sum(answer != "no" for answer in predictions) / len(predictions)


def with_a_stopped_trial(folder):
    made = Journal(folder, evaluate_predictions=scored, bound_predictions=bounded)
    made.append(trial(1))
    coefficients = Coefficients(NAMES, (0.1, 0.9))
    made.append(PrunedTrial(2, "search", coefficients, PartialEvaluation(1 / 3, ("no", None, "no")), seconds=0.5))
    return folder / "trials.jsonl", folder / "predictions.jsonl"


def test_journal_pruned_trial_has_bound_and_null_score(tmp_path):
    trials, predictions = with_a_stopped_trial(tmp_path)
    found = Journal(tmp_path, evaluate_predictions=scored, bound_predictions=bounded).trials[1]
    assert isinstance(found, PrunedTrial)
    assert (found.number, found.kind, found.coefficients.values, found.seconds) == (2, "search", (0.1, 0.9), 0.5)
    assert (found.evaluation.bound, found.evaluation.predictions) == (1 / 3, ("no", None, "no"))
    line = json.loads(trials.read_text().splitlines()[1])
    assert (line["score"], line["metrics"], line["bound"], line["answered"]) == (None, {}, 1 / 3, 2)
    assert json.loads(predictions.read_text().splitlines()[1])["predictions"] == ["no", None, "no"]
    assert set(json.loads(trials.read_text().splitlines()[0])) == {
        *("number", "kind", "coefficients", "score", "metrics", "seconds")  # as before there was racing
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bound": 0.9}, r"line 2: the bound is 0\.9, but that of its answers is 0\.33"),
        ({"answered": 3}, r"line 2: this is not a trial of a search .*3 answered, but 2 answers"),
        ({"score": 0.5}, r"line 2: this is not a trial of a search .*a score, but not all answers"),
        ({"bound": None}, r"line 2: this is not a trial of a search"),
    ],
)
def test_journal_pruned_trial_with_other_bound_raises(tmp_path, change, message):
    trials, _ = with_a_stopped_trial(tmp_path)
    lines = [json.loads(line) for line in trials.read_text().splitlines()]
    lines[1] |= change
    trials.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(StoreError, match=message):
        Journal(tmp_path, evaluate_predictions=scored, bound_predictions=bounded)


def test_journal_answers_without_bound_raise(tmp_path):
    def fails(predictions):
        raise MetricError("found 3 answers for 4 instances")

    with_a_stopped_trial(tmp_path)
    with pytest.raises(StoreError, match="line 2: its answers cannot be scored: found 3 answers for 4 instances"):
        Journal(tmp_path, evaluate_predictions=scored, bound_predictions=fails)


def test_journal_without_bounds_refuses_pruned_trial(tmp_path):
    with_a_stopped_trial(tmp_path)
    with pytest.raises(StoreError, match="line 2: the trial was stopped, and this search stops none"):
        journal(tmp_path)


def test_journal_undefined_metric_is_null(tmp_path):
    def undefined(predictions):
        return Evaluation(0.0, {"r": 0.0}, tuple(predictions), np.ones((2, 1)), undefined=("r",))

    made = Journal(tmp_path, evaluate_predictions=undefined)
    made.append(Trial(1, "search", Coefficients(NAMES, (0.5, 0.5)), undefined(["2", "2"])))
    line = json.loads((tmp_path / "trials.jsonl").read_text())
    assert (line["score"], line["metrics"], line["undefined"]) == (0.0, {"r": None}, ["r"])
    again = Journal(tmp_path, evaluate_predictions=undefined).trials[0].evaluation
    assert (again.score, dict(again.metrics), again.undefined) == (0.0, {"r": 0.0}, ("r",))
