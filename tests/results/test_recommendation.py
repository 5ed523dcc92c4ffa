"""Which model with heads to ship."""

from dfwe.results.comparison import PairedComparison
from dfwe.results.recommendation import recommended_of_several

SURE = {"delta": 0.1, "delta_standard_error": 0.01, "delta_interval": [0.05, 0.15], "p": 0.01, "p_by": "bootstrap"}


def row(name, kind, dev, **more):
    return {"name": name, "kind": kind, "dev": {"score": dev}, "test": {"score": 0.5}, **more}


def best(*rows, models=("surgery", "round_robin"), withheld=()):
    return recommended_of_several(rows, comparison=PairedComparison({}, {}, {}), models=models, withheld=list(withheld))


ROWS = (row("single_sst", "single", 0.9), row("surgery", "model", 0.6), row("round_robin", "model", 0.5))


def test_the_best_mean_on_dev_is_recommended_and_never_a_single_task_model():
    found = best(*ROWS, row("soup", "merge", 0.7, against_single={"mean": SURE}))
    assert (found["name"], found["kind"], found["chosen_among"], found["claim"]) == ("soup", "merge", 3, "better")
    assert found["optimism"] == 0.7 - 0.5
    assert [(each["role"], each["name"]) for each in found["against"]] == [("baseline", "single-task models")]


def test_of_equal_ones_a_trained_model_comes_before_a_merge():
    assert best(row("soup", "merge", 0.6), *ROWS)["name"] == "surgery"


def test_a_model_that_was_not_trained_on_every_task_is_not_shipped():
    assert best(row("snli", "model", 0.8), *ROWS)["name"] == "surgery"


def test_nothing_scored_is_nothing_recommended_and_a_doubt_withholds_the_claim():
    assert best(row("surgery", "model", None)) == {}
    found = best(*ROWS, row("soup", "merge", 0.7, against_single={"mean": SURE}), withheld=["dev is small"])
    assert (found["claim"], found["why"]) == ("not_shown", "dev is small")
