"""The final tables of a study with several tasks."""

import io

import pytest
from rich.console import Console

from dfwe.report.study_results import as_study
from dfwe.report.study_tables import share_of_single
from dfwe.report.terminal.study import show


def scores(sst, sts):
    known = [each for each in (sst, sts) if each is not None]
    return {"tasks": {"SST": sst, "STS": sts}, "score": sum(known) / 2 if len(known) == 2 else None}


def row(name, kind, sst, sts, **more):
    return {"name": name, "title": name.upper(), "kind": kind, "dev": scores(sst, sts), "test": scores(sst, sts)} | more


def results(*rows, **more):
    return {
        "kind": "multitask",
        "columns": {"SST": "sst", "STS": "sts"},
        "n": {"SST": {"test": 10}, "STS": {"test": 20}},
        "seed": 0,
        "candidates": [],
        "ablation": {},
        "published": None,
        "models": list(rows),
    } | more


SINGLE = (
    row("only_sst", "single", 0.5, 0.1, tasks=["SST"]),
    row("only_sts", "single", 0.2, 0.8, tasks=["STS"]),
)


def text(found):
    console = Console(file=io.StringIO(), width=200)
    show(found, console=console)
    return " ".join(console.file.getvalue().split())


def test_single_task_model_has_its_task_alone():
    shown = text(results(*SINGLE))
    assert "ONLY_SST 50.0 ONLY_STS 80.0" in shown


def test_undefined_correlation_is_never_a_number():
    shown = text(results(*SINGLE, row("flat", "model", 0.4, None)))
    assert "FLAT undefined 40.0 undefined undefined" in shown


def test_share_is_of_each_single_model_on_its_own_task():
    found = results(*SINGLE, row("soup", "merge", 0.45, 0.72))
    assert share_of_single(as_study(found))["soup"] == pytest.approx(0.585 / 0.65)
    assert "SOUP 58.5 45.0 72.0 58.5 90.0%" in text(found)


def test_share_counts_the_best_single_model_on_dev():
    second = row("second_sst", "single", 0.6, 0.1, tasks=["SST"]) | {"dev": scores(0.4, 0.1)}
    found = results(*SINGLE, second, row("soup", "merge", 0.45, 0.72))
    assert share_of_single(as_study(found))["soup"] == pytest.approx(0.585 / 0.65)


def test_share_is_unknown_without_a_single_model_per_task():
    assert share_of_single(as_study(results(SINGLE[0], row("soup", "merge", 0.45, 0.72)))) == {}


def sure(delta, p, *, error=0.01):
    found = {"delta": delta, "delta_standard_error": error, "delta_interval": [delta - 0.02, delta + 0.02]}
    return found | {"p": p, "p_by": "bootstrap", "p_holm": p}


def shipped(difference, **more):
    """The recommendation of soup, which is compared with the single-task models."""
    against = [{"role": "baseline", "name": "single-task models", **difference}]
    return {"name": "soup", "kind": "merge", "dev": 0.585, "test": 0.585, "chosen_among": 1, "against": against, **more}


LESS = sure(-0.065, 0.002)
COMPARED = {"differences": {"SST": sure(-0.05, 0.01), "STS": sure(-0.08, 0.2)}, **LESS}


def test_scores_have_the_ends_of_their_intervals():
    found = row("soup", "merge", 0.45, 0.72)
    found["test"] |= {"interval": [0.55, 0.62], "intervals": {"SST": [0.4, 0.5], "STS": [0.68, 0.76]}}
    assert "SOUP 58.5 (55–62) 45.0 (40–50) 72.0 (68–76)" in text(results(*SINGLE, found))


def test_differences_have_errors_and_corrected_p():
    soup = row("soup", "merge", 0.45, 0.72, **COMPARED, optimism=0.034)
    shown = text(results(*SINGLE, soup, recommended=shipped(LESS, claim="worse")))
    assert "SOUP -6.5 ± 1.0 0.002 -5.0 ± 1.0 0.010 -8.0 ± 1.0 0.200 +3.4" in shown
    assert "p of a task is corrected over the tasks (Holm)" in shown
    assert "Ship SOUP, a merge: the best on dev of 1 models (58.5); 58.5 on test; -6.5 (-8.5 to -4.5; p 0.002)" in shown
    assert "against the single-task models: worse." in shown


def test_chance_claims_nothing():
    mean = sure(0.065, 0.2)
    soup = row("soup", "merge", 0.45, 0.72, **{**COMPARED, **mean})
    shown = text(results(*SINGLE, soup, recommended=shipped(mean, claim="not_shown", why="no gain over these")))
    assert "against the single-task models: no difference shown: no gain over these." in shown


def test_differences_of_an_undefined_mean_are_by_task():
    part = {"SST": sure(-0.05, 0.01)}
    shown = text(results(*SINGLE, row("flat", "model", 0.4, None, differences=part)))
    assert "FLAT -5.0 ± 1.0 0.010" in shown
    assert "less those of the single-task models" not in text(results(*SINGLE, row("flat", "model", 0.4, None)))


def test_holdouts_of_all_merges_are_printed():
    holdout = {"examples": 36, "score": 0.55, "start": 0.4, "expert": None}
    shown = text(results(*SINGLE, row("soup", "merge", 0.45, 0.72, holdout=holdout)))
    assert "SOUP: By 36 dev instances that were kept from the search it scores 55.0" in shown


def test_costs_have_a_table_where_they_are_known():
    cost = {"train_steps": 1200, "train_tokens": 34000, "dev_answers": 60, "seconds": 90.0, "bytes": 2_000_000}
    shown = text(results(*SINGLE, row("soup", "merge", 0.45, 0.72, cost=cost)))
    assert "SOUP 1,200 34,000 60 90 s 2.0 MB" in shown
    assert "Cost of" not in text(results(*SINGLE))


def test_published_numbers_stand_beside_ours():
    shown = text(results(*SINGLE, row("soup", "merge", 0.45, 0.72), published={"soup": [0.48, 0.795, None]}))
    assert "48.0 79.5 –" in shown


def test_ablation_numbers_its_models():
    rows = (row("a", "model", 0.4, 0.6), row("b", "model", 0.5, 0.5), row("c", "model", 0.3, 0.7))
    merges = (row("fisher", "merge", 0.4, 0.6, of=["a", "b", "c"]), row("fisher_1_2", "merge", 0.4, 0.5, of=["a", "b"]))
    ablation = {"fisher_1_2": "Fisher w/ Model 1 and 2", "fisher": "Fisher all models"}
    shown = text(results(*rows, *merges, candidates=["a", "b", "c"], ablation=ablation))
    one, two = shown.split("Merges of some of the models.")
    assert "FISHER " in one
    assert "FISHER_1_2" not in one
    for expected in ("B (Model 2) ", "Fisher w/ Model 1 and 2 ", "Fisher all models "):
        assert expected in two
    assert "Merged are A, B, C." in two


def test_values_without_fisher_information_are_counted():
    notes = {"without_fisher": {"values": 1200, "of": 5000, "tensors": []}}
    assert "1,200 of 5,000 values have no Fisher information" in text(
        results(row("f", "merge", 0.4, 0.6, of=["a"], notes=notes))
    )


def test_squared_errors_stand_by_the_gold_number():
    bins = [{"low": 0, "high": 1, "n": 3, "squared_error": 0.25}, {"low": 1, "high": 2, "n": 0, "squared_error": None}]
    shown = text(results(row("clamp", "model", 0.4, 0.6, errors_by_gold=bins)))
    assert "0 to 1" in shown
    assert "CLAMP 0.25" in shown


def test_recommended_model_and_warnings_are_printed():
    against = {"role": "baseline", "name": "single-task models", "delta": 0.05, "delta_interval": [0.01, 0.09]}
    best = {"name": "soup", "kind": "merge", "folder": None, "dev": 0.5, "test": 0.45, "chosen_among": 3}
    best |= {"against": [{**against, "p": 0.02, "p_by": "bootstrap"}], "claim": "better", "why": "it is"}
    warning = {"code": "not_converged", "subject": "soup", "text": "raise trainer.train.epochs"}
    shown = text(results(*SINGLE, row("soup", "merge", 0.45, 0.72), recommended=best, warnings=[warning]))
    assert "Ship SOUP, a merge: the best on dev of 3 models (50.0); 45.0 on test" in shown
    assert "+5.0 (+1.0 to +9.0; p 0.02) against the single-task models: better than these." in shown
    assert "Warning: raise trainer.train.epochs." in shown
