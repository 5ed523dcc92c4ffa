"""Results in words."""

from dfwe.report.study_results import as_study
from dfwe.report.verdict import cost_note, holdout_note, rare_classes_note, source_selection_note

RANKING = [
    {"task": "b", "rank": 0.2, "scores": {"transfer": 0.031, "gradients": 0.9}},
    {"task": "a", "rank": 0.5, "scores": {"gradients": 0.25}},
    {"task": "c", "rank": 0.8, "scores": {"transfer": -0.01, "gradients": -0.1}},
]


def test_sources_stand_in_their_order_with_scores(results):
    chosen = {"by": ["transfer", "gradients"], "selected": ["a", "b"], "ranking": RANKING, "unknown": ["d"]}
    assert source_selection_note(as_study(results | {"source_selection": chosen})) == (
        "Sources chosen by transfer, gradients: b (transfer +0.031, gradients +0.900), a (gradients +0.250); "
        "before c (transfer -0.010, gradients -0.100); nothing is known of d."
    )


def test_sources_without_others_name_none(results):
    chosen = {"by": ["gradients"], "selected": ["a"], "ranking": RANKING[1:2], "unknown": []}
    note = source_selection_note(as_study(results | {"source_selection": chosen}))
    assert note == "Sources chosen by gradients: a (gradients +0.250)."


def test_sources_that_were_not_selected_have_no_note(results):
    assert source_selection_note(as_study(results)) == ""


def test_holdout_has_its_score_beside_others(results):
    results["models"][-1]["holdout"] = {"examples": 36, "score": 0.55, "start": 0.4, "expert": 0.6}
    assert holdout_note(as_study(results).rows[-1]) == (
        "By 36 dev instances that were kept from the search it scores 55.0, the uniform merge "
        "40.0, the best expert 60.0."
    )
    assert holdout_note({}) == ""


def test_rare_classes_are_named(results):
    note = rare_classes_note(as_study(results | {"rare_classes": ["fear", "disgust"]}))
    assert "fewer than 10 test instances are fear, disgust: its intervals are too narrow" in note
    assert rare_classes_note(as_study(results)) == ""


AS_WELL = {
    "name": "seed_soup",
    "title": "soup of seeds",
    "kind": "baseline",
    "times_cost": 0.4,
    "delta": 0.003,
    "delta_interval": [-0.012, 0.018],
    "p": 0.7,
}


def test_the_model_that_does_as_well_is_named_with_its_cost():
    assert cost_note({"as_well": AS_WELL, "not_dearer": [AS_WELL]}) == (
        "As far as test shows soup of seeds does as well (lead +0.3, -1.2 to +1.8) at 0.4 times the cost of training."
    )
    ahead = AS_WELL | {"delta": -0.02, "delta_interval": [-0.03, -0.01], "p": 0.01}
    assert "soup of seeds scores more (lead -2.0, -3.0 to -1.0)" in cost_note({"as_well": ahead})
    other = AS_WELL | {"name": "greedy", "title": "greedy", "kind": "merge", "times_cost": 0.0}
    assert "greedy, a merge, does as well (lead +0.3, -1.2 to +1.8) at no cost of training." in cost_note(
        {"as_well": other}
    )


def test_an_unknown_cost_is_said():
    assert cost_note({}) == cost_note({"as_well": None, "not_dearer": []}) == ""
    assert "not known of models that were trained elsewhere" in cost_note({"not_dearer": None, "as_well": None})
