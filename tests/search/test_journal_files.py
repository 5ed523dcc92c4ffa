"""A journal's lines that are changed and still good JSON are found by their digests."""

import json

import numpy as np
import pytest

from dfwe.errors import StoreError
from dfwe.records import Coefficients, Evaluation, Trial
from dfwe.search.journal import Journal


def scored(predictions):
    counts = np.array([[float(answer == "yes"), 1.0] for answer in predictions])
    return Evaluation(float(counts[:, 0].mean()), {}, tuple(predictions), counts)


def journal(folder):
    return Journal(folder, evaluate_predictions=scored)


def filled(folder, *, num=3):
    made = journal(folder)
    for number in range(1, num + 1):
        coefficients = Coefficients(("a", "b"), (0.1 * number, 1 - 0.1 * number))
        made.append(Trial(number, "search", coefficients, scored(("yes", "no")), seconds=0.25))
    return folder


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("trials.jsonl", {"coefficients": {"a": 0.9, "b": 0.1}}),
        ("predictions.jsonl", {"predictions": ["yes", "nö"]}),  # as wrong as before: the score is the same
    ],
)
def test_checksums_change_without_new_score_raises(tmp_path, file, change):
    path = filled(tmp_path) / file
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[1] |= change
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(StoreError, match=r"trials\.jsonl, line 2: it or its answers were changed on disk; .*delete"):
        journal(tmp_path)


@pytest.mark.parametrize("left", [0, 65, 100, 130])
def test_checksums_missing_are_added_and_torn_cut(tmp_path, left):
    path = filled(tmp_path) / "sums.txt"
    whole = path.read_bytes()
    path.write_bytes(whole[:left])
    assert len(journal(tmp_path).trials) == 3
    assert path.read_bytes() == whole


def test_checksums_of_old_journal_are_added(tmp_path):
    (filled(tmp_path) / "sums.txt").unlink()
    assert len(journal(tmp_path).trials) == 3
    assert len((tmp_path / "sums.txt").read_text().splitlines()) == 3


def test_checksums_of_torn_trial_are_cut(tmp_path):
    path = filled(tmp_path) / "trials.jsonl"
    path.write_bytes(path.read_bytes()[:-5])
    assert len(journal(tmp_path).trials) == 2
    filled_again = journal(tmp_path)
    filled_again.append(Trial(3, "search", Coefficients(("a", "b"), (0.5, 0.5)), scored(("no", "no")), seconds=1.0))
    assert len(journal(tmp_path).trials) == 3
