"""Which pictures a study has."""

import json

import pytest

from dfwe.report.figures.study import MOST_BARS, MOST_MERGES, study_figures
from dfwe.report.run_folder import read_run


def pictures(folder):
    return {picture.name: picture for picture in study_figures(read_run(folder))}


def with_coefficients(plain, coefficients, *trials):
    folder = plain()
    results = json.loads((folder / "results.json").read_text())
    results["models"][-1]["coefficients"] = coefficients
    (folder / "results.json").write_text(json.dumps(results))
    lines = [{"number": n, "kind": "search", "coefficients": c, "score": 0.5} for n, c in enumerate(trials, 1)]
    (folder / "trials.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_search_of_two_experts_is_a_line(plain):
    found = pictures(with_coefficients(plain, {"a": 0.5, "b": 0.5}, {"a": 0.5, "b": 0.5}, {"a": 1.0, "b": 0.0}))
    assert list(found) == ["trace_ties", "simplex_ties", "coefficients"]
    assert "place on the line" in found["simplex_ties"].caption


def test_caption_of_four_experts_reports_the_hidden_share(plain):
    trial = {"a": 0.25, "b": 0.25, "c": 0.25, "d": 0.25}
    found = pictures(with_coefficients(plain, trial, trial, trial))
    assert "the other 1 hold 25% of a candidate in the mean" in found["simplex_ties"].caption


@pytest.mark.parametrize("name", ["method.scale", "encoder/a"])
def test_settings_and_groups_have_no_simplex(plain, name):
    trial = {name: 0.5, "b": 0.5}
    assert list(pictures(with_coefficients(plain, trial, trial, trial))) == ["trace_ties", "coefficients"]


def test_coefficients_of_many_groups_are_averaged_by_expert(plain):
    many = {f"layer{number}/{name}": float(number) for number in range(MOST_BARS) for name in "ab"}
    found = pictures(with_coefficients(plain, many))["coefficients"]
    (axes,) = found.figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    assert [bar.get_width() for bar in axes.containers[0]] == pytest.approx([(MOST_BARS - 1) / 2] * 2)
    assert "the mean over groups of tensors" in found.caption


def test_many_merges_show_headline_and_best_on_dev(plain):
    folder = plain()
    results = json.loads((folder / "results.json").read_text())
    asked = results["models"][-1]
    others = [asked | {"name": f"m{n}", "dev": {"score": n / 100}} for n in range(7)]
    (folder / "results.json").write_text(json.dumps(results | {"models": [*results["models"], *others]}))
    figure = pictures(folder)["coefficients"].figure
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["ties", "m6", "m5", "m4"]
    assert len(legend) == MOST_MERGES


def test_leave_one_out_is_the_dev_score_lost(plain):
    searched = {"g/a": 0.5, "h/a": 0.0, "g/b": 0.25, "g/c": 0.25, "g/d": 0.0, "method.scale": 2.0}
    folder = with_coefficients(plain, searched)
    results = json.loads((folder / "results.json").read_text())
    results["models"][-1]["leave_one_out"] = {"a": 0.25, "b": 0.6}  # with it: 0.55
    (folder / "results.json").write_text(json.dumps(results))
    picture = pictures(folder)["leave_one_out_ties"]
    (axes,) = picture.figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    assert [bar.get_width() for bar in axes.containers[0]] == pytest.approx([30, -5])
    assert [text.get_text().replace("−", "-") for text in axes.texts] == ["30.0", "-5.0"]
    assert "Without c there is no merge, or no score." in picture.caption
