"""Tables 1 and 2 of a multitask study."""

import io

import pytest
from rich.console import Console

from dfwe.report.multitask_tables import share_of_single, show


def scores(sst, sts):
    known = [each for each in (sst, sts) if each is not None]
    return {"tasks": {"SST": sst, "STS": sts}, "mean": sum(known) / 2 if len(known) == 2 else None}


def row(name, kind, sst, sts, **more):
    return {"name": name, "title": name.upper(), "kind": kind, "dev": scores(sst, sts), "test": scores(sst, sts)} | more


def results(*rows, **more):
    return {
        "columns": {"SST": "sst", "STS": "sts"},
        "n": {"SST": {"test": 10}, "STS": {"test": 20}},
        "seed": 0,
        "candidates": [],
        "ablation": {},
        "published": None,
        "rows": list(rows),
    } | more


SINGLE = (
    row("only_sst", "single", 0.5, 0.1, tasks=["SST"]),
    row("only_sts", "single", 0.2, 0.8, tasks=["STS"]),
)


def text(found):
    console = Console(file=io.StringIO(), width=200)
    show(found, console=console)
    return " ".join(console.file.getvalue().split())


def test_a_single_task_model_has_its_own_task_alone():
    assert "ONLY_SST │ 0.500 │ │ N/A │ N/A │" in text(results(*SINGLE))


def test_the_share_of_the_single_task_average_is_of_each_model_on_its_own_task():
    found = results(*SINGLE, row("soup", "merge", 0.45, 0.72))
    assert share_of_single(found, split="test")["soup"] == pytest.approx(0.585 / 0.65)
    assert "SOUP │ 0.450 │ 0.720 │ 0.585 │ 0.585 │ 90.0%" in text(found)


def test_an_undefined_correlation_is_said_and_never_a_number():
    shown = text(results(*SINGLE, row("flat", "model", 0.4, None)))
    assert "FLAT │ 0.400 │ undefined │ undefined │ undefined │" in shown


def sure(delta, p, *, error=0.01):
    found = {"delta": delta, "delta_standard_error": error, "delta_interval": [delta - 0.02, delta + 0.02]}
    return found | {"p": p, "p_by": "bootstrap", "p_holm": p}


COMPARED = {
    "others": {"SST": "only_sst", "STS": "only_sts"},
    "tasks": {"SST": sure(-0.05, 0.01), "STS": sure(-0.08, 0.2)},
    "mean": sure(-0.065, 0.002),
}


def test_a_score_has_the_ends_of_its_interval_below_it():
    found = row("soup", "merge", 0.45, 0.72)
    found["test"]["intervals"] = {"tasks": {"SST": [0.4, 0.5], "STS": [0.68, 0.76]}, "mean": [0.55, 0.62]}
    shown = text(results(*SINGLE, found))
    assert "│ .40–.50 │ .68–.76 │ .55–.62 │" in shown


def test_differences_to_the_single_task_models_have_errors_stars_and_the_means_interval():
    shown = text(results(*SINGLE, row("soup", "merge", 0.45, 0.72, against_single=COMPARED, optimism=0.034)))
    assert "SOUP -0.050* -0.080 -0.065* 0.002 +0.034 ±0.010 ±0.010 -0.085 to -0.045" in shown
    assert "tasks' p are corrected by Holm" in shown
    assert "-0.065 (-0.085 to -0.045) against the single-task models, p = 0.002 by the paired bootstrap: worse" in shown


def test_what_chance_explains_is_not_claimed():
    mean = {**COMPARED, "mean": sure(0.065, 0.2)}
    shown = text(results(*SINGLE, row("soup", "merge", 0.45, 0.72, against_single=mean)))
    assert "p = 0.2 by the paired bootstrap: on this test split no difference can be claimed" in shown


def test_without_the_mean_the_tasks_that_are_known_are_compared():
    part = {"others": {"SST": "only_sst"}, "tasks": {"SST": sure(-0.05, 0.01)}}
    shown = text(results(*SINGLE, row("flat", "model", 0.4, None, against_single=part)))
    assert "FLAT -0.050*" in shown
    assert "Test less the single-task models" not in text(results(*SINGLE, row("flat", "model", 0.4, None)))


def test_what_confirms_a_merge_is_said():
    confirm = {"examples": 36, "score": 0.55, "unshrunk": 0.55, "shrunk": 0.0, "start": 0.4, "expert": None}
    shown = text(results(*SINGLE, row("soup", "merge", 0.45, 0.72, confirm=confirm)))
    assert "SOUP (times 100): By 36 dev instances that were kept from the search it scores 55.0" in shown


def test_costs_have_a_table_where_they_are_known():
    cost = {"train_steps": 1200, "train_tokens": 34000, "dev_answers": 60, "seconds": 90.0, "bytes": 2_000_000}
    shown = text(results(*SINGLE, row("soup", "merge", 0.45, 0.72, cost=cost)))
    assert "SOUP 1,200 34,000 60 90 s 2.0 MB" in shown
    assert "Cost of" not in text(results(*SINGLE))


def test_published_numbers_stand_beside_where_there_are_some():
    shown = text(results(*SINGLE, row("soup", "merge", 0.45, 0.72), published={"soup": [0.48, 0.795, 0.678]}))
    assert "0.480 0.795 0.678" in shown


def test_table_2_numbers_its_models_and_has_merges_that_table_1_has_not():
    rows = (row("a", "model", 0.4, 0.6), row("b", "model", 0.5, 0.5), row("c", "model", 0.3, 0.7))
    merges = (row("fisher", "merge", 0.4, 0.6, of=["a", "b", "c"]), row("fisher_1_2", "merge", 0.4, 0.5, of=["a", "b"]))
    ablation = {"fisher_1_2": "Fisher w/ Model 1 and 2", "fisher": "Fisher all models"}
    shown = text(results(*rows, *merges, candidates=["a", "b", "c"], ablation=ablation))
    one, two = shown.split("Table 2")
    assert "FISHER │" in one
    assert "FISHER_1_2" not in one
    for expected in ("B (Model 2) │", "Fisher w/ Model 1 and 2 │", "Fisher all models │"):
        assert expected in two


def test_values_without_fisher_information_are_counted_in_words():
    notes = {"without_fisher": {"values": 1200, "of": 5000, "tensors": []}}
    assert "1,200 of 5,000 values have no Fisher information" in text(
        results(row("f", "merge", 0.4, 0.6, of=["a"], notes=notes))
    )


def test_squared_errors_stand_by_the_gold_number():
    bins = [{"low": 0, "high": 1, "n": 3, "squared_error": 0.25}, {"low": 1, "high": 2, "n": 0, "squared_error": None}]
    shown = text(results(row("clamp", "model", 0.4, 0.6, errors_by_gold=bins)))
    assert "0 to 1" in shown
    assert "CLAMP │ 0.25 │ – │" in shown


def test_the_model_to_ship_and_warnings_are_said():
    against = {"role": "baseline", "name": "single-task models", "delta": 0.05, "delta_interval": [0.01, 0.09]}
    best = {"name": "soup", "kind": "merge", "folder": None, "dev": 0.5, "test": 0.45, "chosen_among": 3}
    best |= {"against": [{**against, "p": 0.02, "p_by": "bootstrap"}], "claim": "better", "why": "it is"}
    warning = {"code": "not_converged", "subject": "soup", "text": "raise trainer.train.epochs"}
    shown = text(results(*SINGLE, row("soup", "merge", 0.45, 0.72), recommended=best, warnings=[warning]))
    assert "Ship SOUP, a merge: the best on dev of 3 models (50.0); 45.0 on test" in shown
    assert "+5.0 (+1.0 to +9.0; p 0.02) against the single-task models: better than these." in shown
    assert "Warning: raise trainer.train.epochs." in shown
