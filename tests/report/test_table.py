"""The final table."""

import io

from rich.console import Console

from dfwe.report.table import show


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


def text(found):
    console = Console(file=io.StringIO(), width=140)
    show(found, console=console)
    return " ".join(console.file.getvalue().split())


def test_scores_are_shown_times_100_with_delta_and_coefficients():
    shown = text(results(0.123, 0.02))
    assert "nelder_mead │ 60.0 │ 52.3 │ 40–62 │ +12.3 ± 2.0 │ │" in shown
    assert "meld │ 51.0 │ 41.0 │ │ +1.0 ± 2.0 │ 0.25 │" in shown
    assert "baseline (target alone) │ 50.0 │ 40.0" in shown


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


def test_the_model_to_ship_comes_first_with_what_it_is_held_against():
    shown = text(judged("better"))
    assert "Ship nelder_mead (folder best/), the merge that was asked for: the best on dev of 3 models (60.0)" in shown
    assert "52.3 on test (+7.7 on dev over test)" in shown
    assert "+12.3 (+8.3 to +16.3; p 0.004) against the baseline" in shown
    assert "against meld (the baseline trained as long and the best expert by dev): better than these." in shown
    assert "p by the paired bootstrap" in shown
    assert "Asked for was" not in shown


def test_another_merge_that_was_asked_for_is_judged_beside_it():
    shown = text(judged("worse", name="meld"))
    assert "Ship meld" in shown
    assert "Asked for was nelder_mead: 52.3 on test" in shown
    assert shown.count("worse") == 2


def test_where_no_difference_is_shown_the_reason_is_said():
    assert "no difference shown: because of this." in text(judged("not_shown"))


def test_warnings_are_said():
    assert "Warning: dev is small." in text(judged("better", warnings=["dev is small"]))


def test_a_merge_that_is_one_expert_says_so_and_shows_its_best_mixture():
    found = judged("better")
    mixture = {"dev": 0.55, "test": 0.45, "interval": [0.4, 0.5], "delta": 0.05, "delta_standard_error": 0.01}
    found["models"][2] |= {"is_expert": "meld", "mixture": mixture}
    shown = text(found)
    assert "nelder_mead (= meld) │ 60.0 │ 52.3" in shown
    assert "its best mixture │ 55.0 │ 45.0 │ 40–50 │ +5.0 ± 1.0" in shown


def test_without_a_merge_it_says_so():
    assert "No merge was scored on test." in text(results(0.1, 0.1) | {"headline": {}})


def test_an_undefined_score_is_called_so_and_nothing_is_compared_with_it():
    found = results(0.123, 0.02)
    found["headline"] = {}
    found["models"][2] = row("nelder_mead", "merge", None, None, coefficients={}, evaluations=41)
    shown = text(found)
    assert "nelder_mead │ undefined │ undefined │ │ │" in shown
    assert "The score on test is undefined for nelder_mead: a model that answers the same to every instance" in shown


def test_costs_stand_beside_those_of_plain_fine_tuning():
    found = results(0.123, 0.02)
    cost = {"train_steps": 1200, "train_tokens": 34567, "dev_answers": 90, "seconds": 200.0, "bytes": 2_000_000}
    found["models"][2]["cost"] = cost
    found["models"][0]["cost"] = cost | {"seconds": None}
    shown = text(found)
    assert "nelder_mead 1,200 34,567 90 3.3 min 2.0 MB" in shown
    assert "baseline (target alone) 1,200 34,567 90 unknown 2.0 MB" in shown
    assert "Cost of each model" not in text(results(0.123, 0.02))


def test_what_dev_instances_say_that_the_search_did_not_see_is_told():
    found, merge = results(0.123, 0.02), {"score": 0.55, "unshrunk": 0.5, "shrunk": 0.25, "start": 0.4, "expert": 0.6}
    found["models"][2]["confirm"] = {"examples": 36} | merge
    expected = (
        "36 dev instances that were kept from the search it scores 55.0 (shrunk by 0.25; 50.0 before), the uniform"
    )
    assert f"By {expected} merge 40.0, the best expert 60.0." in text(found)


def test_rare_classes_under_a_macro_f1_are_named():
    found = results(0.123, 0.02) | {"rare_classes": ["fear", "disgust"]}
    assert "fewer than 10 test instances are fear, disgust: its intervals are too narrow" in text(found)
    assert "too narrow" not in text(results(0.123, 0.02))
