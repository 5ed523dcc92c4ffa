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


def test_a_clear_gain_is_called_one():
    shown = text(results(0.123, 0.02))
    assert "+12.3 (+8.3 to +16.3) against the baseline, p = 0.004 by the paired bootstrap: better than the" in shown


def test_a_loss_is_called_worse():
    assert "worse than the baseline" in text(results(-0.123, 0.02))


def test_a_small_difference_is_not_claimed():
    assert "no difference can be claimed" in text(results(0.03, 0.02))


def test_without_a_merge_it_says_so():
    assert "No merge was scored on test." in text(results(0.1, 0.1) | {"headline": {}})


def test_an_undefined_score_is_called_so_and_nothing_is_compared_with_it():
    found = results(0.123, 0.02)
    found["headline"] = {}
    found["models"][2] = row("nelder_mead", "merge", None, None, coefficients={}, evaluations=41)
    shown = text(found)
    assert "nelder_mead │ undefined │ undefined │ │ │" in shown
    assert "The score on test is undefined for nelder_mead: a model that answers the same to every instance" in shown


def test_an_expert_with_an_undefined_score_is_not_the_best():
    found = results(0.123, 0.02)
    found["models"].insert(1, row("constant", "expert", None, None))
    assert "The best expert by dev, meld, scores 41.0." in text(found)


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
