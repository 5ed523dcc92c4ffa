"""Which model to ship, and what may be said of it beside others."""

from types import SimpleNamespace

from dfwe.results.recommendation import models_by_simplicity, recommend

MODELS = ("surgery", "round_robin", "soup")


def row(name, kind, dev):
    return {"name": name, "kind": kind, "dev": {"score": dev}, "test": {"score": 0.5}}


def best(*rows, conclude=lambda name: {"claim": f"of {name}"}):
    names = [name for name in MODELS if name in {row["name"] for row in rows}]
    return recommend(rows, simplest_first=names, conclude=conclude, folder=None)


ROWS = (row("single_sst", "single", 0.9), row("surgery", "model", 0.6), row("round_robin", "model", 0.5))


def test_the_best_on_dev_of_those_named_is_recommended():
    result = best(*ROWS, row("soup", "merge", 0.7))
    assert (result["name"], result["kind"], result["chosen_among"], result["claim"]) == ("soup", "merge", 3, "of soup")
    assert result["optimism"] == 0.7 - 0.5


def test_of_equal_ones_a_trained_model_comes_before_a_merge():
    assert best(row("soup", "merge", 0.6), *ROWS)["name"] == "surgery"


def test_a_random_merge_comes_after_the_others():
    merges = {name: object() for name in ("random", "uniform", "nelder_mead")}
    study = SimpleNamespace(models=merges, baselines={"random": merges["random"]}, listing=None)
    assert list(models_by_simplicity(study, names=list(merges))) == ["uniform", "nelder_mead", "random"]


def test_a_model_that_is_not_named_is_not_shipped():
    assert best(row("snli", "model", 0.8), *ROWS)["name"] == "surgery"


def test_nothing_scored_is_nothing_recommended():
    assert best(row("surgery", "model", None)) == {}
