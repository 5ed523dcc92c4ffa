"""The final tables of a study with one target."""

import io

import pytest
from rich.console import Console

from dfwe.report.terminal.study import show


def row(name, kind, dev, test, interval=None, **more):
    return {"name": name, "kind": kind, "dev": {"score": dev}, "test": {"score": test, "interval": interval}} | more


def results(delta, error):
    merge = {
        "delta": delta,
        "delta_standard_error": error,
        "delta_interval": [delta - 2 * error, delta + 2 * error],
        "p": 0.004 if abs(delta) > 2 * error else 0.2,
        "p_by": "bootstrap",
        "coefficients": {"meld": 0.25, "mixture": 0.75},
        "evaluations": 41,
        "seconds": 2.0,
        "selection": "bagged",
    }
    return {
        "target": "MELD_emotion_recognition",
        "sources": ["personality_detection"],
        "seed": 3,
        "n": {"train": 10, "dev": 5, "test": 20},
        "models": [
            row("baseline", "baseline", 0.5, 0.4),
            row("meld", "expert", 0.51, 0.41, delta=0.01, delta_standard_error=0.02),
            row("nelder_mead", "merge", 0.6, 0.4 + delta, interval=[0.4, 0.62], **merge),
        ],
        "headline": {"name": "nelder_mead", "test": 0.4 + delta, **merge},
    }


def text(found, *, width=160):
    console = Console(file=io.StringIO(), width=width)
    show(found, console=console)
    return " ".join(console.file.getvalue().split())


def test_scores_are_shown_times_100_with_deltas():
    shown = text(results(0.123, 0.02))
    assert "nelder_mead 52.3 (40–62) +12.3 ± 2.0 0.004 60.0" in shown
    assert "meld 41.0 +1.0 ± 2.0 51.0" in shown
    assert "baseline (target alone) 40.0 50.0" in shown


def test_the_title_names_sources_where_there_are_some():
    assert "MELD_emotion_recognition with personality_detection · seed 3" in text(results(0.1, 0.02))
    assert "MELD_emotion_recognition · seed 3" in text({**results(0.1, 0.02), "sources": []})


def test_coefficients_have_a_column_per_merge():
    assert "expert nelder_mead" in text(results(0.1, 0.02))
    assert "meld 0.250 expert on all tasks 0.750" in text(results(0.1, 0.02)).replace("─", "")


def judged(claim, *, name="nelder_mead", asked="nelder_mead", warnings=()):
    """Results in which the model of that name is recommended, and another may have been asked for."""
    against = [
        {"role": role, "name": other, "delta": 0.123, "delta_interval": [0.083, 0.163], "p": 0.004, "p_by": "bootstrap"}
        for role, other in (("baseline", "baseline"), ("equally_trained", "meld"), ("best_expert", "meld"))
    ]
    told = {"against": against, "claim": claim, "why": "because of this"}
    found = results(0.123, 0.02)
    best = {"name": name, "kind": "merge", "folder": "best", "dev": 0.6, "test": 0.523, "optimism": 0.077}
    found["recommended"] = {**best, "chosen_among": 3, **told}
    found["headline"] |= {"name": asked, **told}
    found["warnings"] = [{"code": "small_dev", "subject": "meld dev", "text": each} for each in warnings]
    return found


def test_recommended_model_comes_first_with_its_differences():
    shown = text(judged("better"))
    assert "Ship nelder_mead (folder best/), the merge that was asked for: the best on dev of 3 models (60.0)" in shown
    assert "52.3 on test (+7.7 on dev over test)" in shown
    assert "+12.3 (+8.3 to +16.3; p 0.004) against the baseline" in shown
    assert "against meld (the baseline trained as long and the best expert by dev): better than these." in shown
    assert "p by the paired bootstrap" in shown
    assert "The merge that was asked for is" not in shown


def test_another_headline_merge_is_judged_beside_it():
    shown = text(judged("worse", name="meld"))
    assert "Ship meld" in shown
    assert "The merge that was asked for is nelder_mead: 52.3 on test" in shown
    assert shown.count("worse") == 2


def test_a_merge_without_a_baseline_is_told_beside_the_best_expert():
    content = judged(None, name="meld")
    content["models"] = [row for row in content["models"] if row["name"] != "baseline"]
    for row in content["models"]:
        row.pop("delta", None)
        if row["name"] == "nelder_mead":
            row["against"] = {"best_expert": content["headline"]["against"][2]}
    content["headline"] = {}
    shown = text(content)
    assert "The merge that was asked for is nelder_mead: 52.3 on test; +12.3 (+8.3 to +16.3; p 0.004) against" in shown
    assert "meld (the best expert by dev)." in shown
    assert "delta is to" not in shown


def test_claim_that_is_not_shown_has_its_reason():
    assert "no difference shown: because of this." in text(judged("not_shown"))


def test_warnings_are_printed():
    assert "Warning: dev is small." in text(judged("better", warnings=["dev is small"]))


def test_merge_that_is_one_expert_shows_its_mixture():
    found = judged("better")
    mixture = {"dev": 0.55, "test": 0.45, "interval": [0.4, 0.5], "delta": 0.05, "delta_standard_error": 0.01}
    found["models"][2] |= {"is_expert": "meld", "mixture": mixture}
    shown = text(found)
    assert "nelder_mead (= meld) 52.3" in shown
    assert "nelder_mead = meld 60.0 55.0 45.0 (40–50) +5.0 ± 1.0 41 2.0" in shown


def test_without_a_merge_it_says_so():
    assert "No merge was scored on test." in text(results(0.1, 0.1) | {"headline": {}})


def test_undefined_score_is_explained():
    found = results(0.123, 0.02)
    found["headline"] = {}
    found["models"][2] = row("nelder_mead", "merge", None, None, coefficients={}, evaluations=41)
    shown = text(found)
    assert "nelder_mead undefined undefined" in shown
    assert "The score on test is undefined for nelder_mead: a model that answers the same to every instance" in shown


COST = {"train_steps": 1200, "train_tokens": 34567, "dev_answers": 90, "seconds": 200.0, "bytes": 2_000_000}


def test_costs_stand_beside_those_of_fine_tuning():
    found = results(0.123, 0.02)
    found["models"][2]["cost"] = COST
    found["models"][0]["cost"] = COST | {"seconds": None}
    shown = text(found)
    assert "nelder_mead 1,200 34,567 90 3.3 min 2.0 MB" in shown
    assert "baseline (target alone) 1,200 34,567 90 unknown 2.0 MB" in shown
    assert "Cost of each model" not in text(results(0.123, 0.02))


def test_the_cost_column_counts_the_baselines_and_models():
    found = results(0.123, 0.02)
    found["models"][1]["cost"] = COST | {"training": 99, "models": 5, "times_baseline": 4.04}
    shown = text(found)
    assert "meld 41.0 +1.0 ± 2.0 51.0 4.0 5 models" in shown
    assert "Cost: tokens read to train and search, as a multiple of the baseline's." in shown
    assert "Cost: tokens" not in text(results(0.123, 0.02))


def test_costs_of_many_merges_are_left_out():
    found = results(0.123, 0.02)
    found["models"] = [each | {"cost": COST} for each in (*found["models"][:2], *[found["models"][2]] * 20)]
    assert text(found).count("34,567") == 2


def test_holdout_of_the_headline_is_printed():
    found = results(0.123, 0.02)
    found["models"][2]["holdout"] = {"examples": 36, "score": 0.55, "start": 0.4, "expert": None}
    expected = "nelder_mead: By 36 dev instances that were kept from the search it scores 55.0, the uniform merge 40.0."
    assert expected in text(found)


def merge(name, dev, **more):
    found = {"name": name, "kind": "merge", "dev": {"score": dev}, "evaluations": 7, "seconds": 1.25}
    return {**found, "selection": "search", "coefficients": {"a": 1.0}, **more}


def merges(*rows):
    """The lines of the merges' table, by their first words."""
    shown = text(results(0.1, 0.02) | {"models": [*rows, *(merge(f"m{n}", 0.0) for n in range(4))]})
    return shown[shown.index("Merges; differences") :]


def test_merges_stand_by_budget_and_their_best_mixture():
    kept = merge("ties", 0.9, is_expert="meld", mixture={"dev": 0.45}, budget=40)
    shown = merges(kept, merge("b", 0.9, budget=1), merge("c", 0.5, budget=40))
    places = [shown.index(each) for each in ("budget 40", " c ", "ties = meld", "budget 1 ", " b ")]
    assert places == sorted(places)


def test_merges_of_undefined_scores_come_last():
    shown = merges(merge("constant", None), merge("uniform", 0.0))
    assert shown.index("uniform merge") < shown.index("constant")


def way(name, score, same, **more):
    return {"way": name, "score": score, "same": same} | more


def test_decodings_have_a_row_per_model_and_way():
    delta = {"delta": 0.123, "delta_standard_error": 0.024}
    first = [way("labels", 0.5, 1.0, no_label=0.0), way("greedy", 0.475, 0.9, no_label=0.05)]
    last = [way("labels", 0.623, 1.0, no_label=0.0, **delta), way("greedy", 0.6, 0.95, no_label=0.0, **delta)]
    models = [{"name": "baseline", "ways": first}, {"name": "nelder_mead", "ways": last}]
    shown = text(results(0.1, 0.02) | {"decoding_comparison": {"default": "labels", "models": models}})
    assert "the study's own decoding, labels" in shown
    assert "baseline (target alone) greedy 47.5 90.0 5.0" in shown
    assert "nelder_mead labels 62.3 +12.3 ± 2.4 100.0 0.0" in shown


def test_decodings_that_are_left_out_are_named():
    models = [{"name": "baseline", "ways": [way("greedy", 0.5, 1.0), way("reference", 0.4, 0.3)]}]
    decodings = {"default": "greedy", "models": models, "left_out": {"labels": "it has none"}}
    shown = text(results(0.1, 0.02) | {"decoding_comparison": decodings})
    assert "baseline (target alone) reference 40.0 30.0" in shown
    assert "Left out of the comparison of decodings: labels: it has none." in shown


@pytest.mark.parametrize("width", [60, 80])
def test_nothing_is_cut_on_a_narrow_terminal(width):
    assert "…" not in text(judged("better"), width=width)
