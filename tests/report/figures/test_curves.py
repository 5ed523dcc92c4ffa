"""Learning curves."""

from dfwe.report.figures.scores import Curve, draw_curves
from dfwe.report.figures.study import training_curves
from dfwe.report.figures.style import svg_of
from dfwe.report.study_results import as_study

EPOCHS = [{"target": 0.25, "own": 0.5}, {"target": 0.75, "own": None}]


def record(name, part, epochs=EPOCHS):
    return {"name": name, "part": part, "tasks": [], "epochs": epochs, "best_epoch": 2, "criterion": "target"}


def curves_of(found, *, plain={"target": "t", "sources": [], "seed": 0, "models": [], "headline": {}}):  # noqa: B006
    return training_curves(as_study(plain | found))


def test_each_training_has_a_picture_of_its_own_with_its_scores():
    curves = [Curve("a", "first", (0.25, 0.75), (0.5, None), 2), Curve("b", "then", (0.5,), (), 1)]
    figure = draw_curves(curves)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["a\nfirst", "b\nthen"]
    target, own, kept = figure.axes[0].lines
    assert (list(target.get_ydata()), list(own.get_ydata())) == ([25.0, 75.0], [50.0])
    assert (list(kept.get_xdata()), list(kept.get_ydata())) == ([2], [75.0])


def test_an_epoch_without_a_score_is_left_out():
    (axes,) = draw_curves([Curve("a", "s", (None, 0.5), (), 1)]).axes
    (line,) = axes.lines  # no star: what was kept has no score
    assert list(line.get_xdata()) == [2]


def test_epochs_are_read_on_hovering():
    assert "<title>epoch 2: 75.0 on the target</title>" in svg_of(
        draw_curves(list(curves_of({"curves": [record("a", "train")]})))
    )


def test_curves_have_names_and_stages():
    results = {"curves": [record("mixture", "train"), record("mixture", "finetune"), record("baseline", "baseline")]}
    found = [(curve.title, curve.stage) for curve in curves_of(results)]
    assert found == [
        ("expert on all tasks", "trained on its tasks"),
        ("expert on all tasks", "fine-tuned on the target"),
        ("baseline (target alone)", "trained from the parent"),
    ]


def test_results_without_epochs_have_no_curves():
    assert list(curves_of({})) == []
    assert list(curves_of({"curves": [record("a", "train", epochs=[])]})) == []


def test_an_own_task_that_is_the_target_is_one_line():
    (curve,) = curves_of({"curves": [record("a", "finetune", epochs=[{"target": 0.5, "own": None}] * 2)]})
    assert curve.source == ()
