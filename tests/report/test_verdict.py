"""Results in words."""

from dfwe.report.study_results import as_study
from dfwe.report.verdict import holdout_note, rare_classes_note, source_selection_note

RANKING = [
    {"task": "b", "rank": 0.2, "scores": {"transfer": 0.031, "gradients": 0.9}},
    {"task": "a", "rank": 0.5, "scores": {"gradients": 0.25}},
    {"task": "c", "rank": 0.8, "scores": {"transfer": -0.01, "gradients": -0.1}},
]


def test_sources_stand_in_their_order_with_scores(results):
    choice = {"by": ["transfer", "gradients"], "taken": ["a", "b"], "ranking": RANKING, "unknown": ["d"]}
    assert source_selection_note(as_study(results | {"choice": choice})) == (
        "Sources chosen by transfer, gradients: b (transfer +0.031, gradients +0.900), a (gradients +0.250); "
        "before c (transfer -0.010, gradients -0.100); nothing is known of d."
    )


def test_sources_without_others_name_none(results):
    choice = {"by": ["gradients"], "taken": ["a"], "ranking": RANKING[1:2], "unknown": []}
    note = source_selection_note(as_study(results | {"choice": choice}))
    assert note == "Sources chosen by gradients: a (gradients +0.250)."


def test_sources_that_were_not_selected_have_no_note(results):
    assert source_selection_note(as_study(results)) == ""


def test_holdout_of_an_earlier_format_has_its_shrinkage(results):
    confirm = {"examples": 36, "score": 0.55, "unshrunk": 0.5, "shrunk": 0.25, "start": 0.4, "expert": 0.6}
    results["models"][-1]["confirm"] = confirm
    assert holdout_note(as_study(results).rows[-1]) == (
        "By 36 dev instances that were kept from the search it scores 55.0 (shrunk by 0.25; 50.0 before), the uniform "
        "merge 40.0, the best expert 60.0."
    )
    assert holdout_note({}) == ""


def test_rare_classes_are_named(results):
    note = rare_classes_note(as_study(results | {"rare_classes": ["fear", "disgust"]}))
    assert "fewer than 10 test instances are fear, disgust: its intervals are too narrow" in note
    assert rare_classes_note(as_study(results)) == ""
