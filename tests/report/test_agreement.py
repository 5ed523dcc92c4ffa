"""The table of agreement."""

import io

from rich.console import Console, Group

from dfwe.report.agreement import agreement_parts

NAMES = {"baseline": "baseline (target alone)"}


def way(name, score, same, **more):
    return {"way": name, "score": score, "same": same} | more


def text(found, *, width=80):
    console = Console(file=io.StringIO(), width=width)
    console.print(Group(*agreement_parts(found, names=NAMES)))
    return " ".join(console.file.getvalue().split())


def test_every_model_has_a_row_a_way_times_100():
    delta = {"delta": 0.123, "delta_standard_error": 0.024}
    first = [way("labels", 0.5, 1.0, no_label=0.0), way("greedy", 0.475, 0.9, no_label=0.05)]
    merge = [way("labels", 0.623, 1.0, no_label=0.0, **delta), way("greedy", 0.6, 0.95, no_label=0.0, **delta)]
    models = [{"name": "baseline", "ways": first}, {"name": "nelder_mead", "ways": merge}]
    shown = text({"own": "labels", "models": models})
    assert "the study's own way, labels" in shown
    assert "baseline (target alone) │ labels │ 50.0 │ │ │ 0.0 │" in shown
    assert "│ greedy │ 47.5 │ │ 90.0 │ 5.0 │" in shown
    assert "nelder_mead │ labels │ 62.3 │ +12.3 ± 2.4 │ │ 0.0 │" in shown


def test_free_text_has_no_labels_and_what_is_left_out_is_said():
    models = [{"name": "baseline", "ways": [way("greedy", 0.5, 1.0), way("reference", 0.4, 0.3)]}]
    shown = text({"own": "greedy", "models": models, "left_out": {"labels": "it has none"}})
    assert "│ reference │ 40.0 │ │ 30.0 │ – │" in shown
    assert "Agreement leaves out labels: it has none." in shown


def test_a_study_that_asked_for_none_shows_none():
    assert agreement_parts({}, names=NAMES) == ()
