"""Pictures of rows over targets and seeds."""

import json

import pytest

from dfwe.report.figures.rows import draw_barriers, draw_examples, draw_gains, row_figures
from dfwe.report.sweep.intervals import MeanDifference
from dfwe.report.sweep.report import read_sweep


@pytest.fixture
def figures(tmp_path):
    """A function from studies' results to the figures of their rows, by name."""

    def of(*studies):
        for number, results in enumerate(studies):
            (tmp_path / str(number)).mkdir()
            (tmp_path / str(number) / "results.json").write_text(json.dumps(results))
        return {named.name: named for named in row_figures(read_sweep(tmp_path).rows)}

    return of


def study(target, seed, *, merge, barrier=None, num_train=100):
    rows = [
        {"name": "baseline", "kind": "baseline", "dev": {"score": 0.4}, "test": {"score": 0.4}},
        {"name": "ties", "kind": "merge", "stage": f"{target}{seed}{num_train}", "dev": {"score": 0.5}}
        | {"test": {"score": merge}, "delta": merge - 0.4},
    ]
    return {
        "format": 4,
        "target": target,
        "sources": ["a"],
        "seed": seed,
        "n": {"train": num_train, "test": 9},
        "models": rows,
        "headline": {"name": "ties"},
        "data": {"tasks": {target: {"corpus": "x", "shots": "all"}}},
        "command": f"python data.shots={num_train}",
        **({"connectedness": {"median_barrier": barrier}} if barrier is not None else {}),
    }


def test_gains_have_a_mark_per_reference_and_their_intervals():
    gains = {
        "less the baseline": {"x": MeanDifference(0.02, (0.01, 0.03), 1, 1), "y": MeanDifference(-0.01, None, 0, 1)}
    }
    (axes,) = draw_gains(gains).axes
    assert axes.collections[0].get_offsets().tolist() == [[2.0, 0.0], [-1.0, 1.0]]
    assert [list(line.get_xdata()) for line in axes.lines[:-1]] == [[1.0, 3.0]]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["x", "y"]


def test_barriers_have_a_point_per_study():
    (axes,) = draw_barriers({"x": [(0.01, 0.05), (0.1, -0.02)], "y": [(0.0, 0.0)]}).axes
    assert [marks.get_offsets().tolist() for marks in axes.collections] == [[[1.0, 5.0], [10.0, -2.0]], [[0.0, 0.0]]]


def test_examples_have_means_and_spread_on_a_log_scale():
    (axes,) = draw_examples({"ties": {16: [0.5], 8: [0.2, 0.4]}}).axes
    line, _, (spread,) = axes.containers[0]
    assert list(line.get_xdata()) == [8, 16]
    assert list(line.get_ydata()) == pytest.approx([30, 50])
    assert spread.get_segments()[0][:, 1].tolist() == pytest.approx([30 - 200**0.5, 30 + 200**0.5])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["8", "16"]


def test_titles_say_what_is_seen(figures):
    drawn = figures(study("x", 0, merge=0.5, barrier=0.01), study("y", 0, merge=0.3, barrier=0.1))
    assert drawn["gains_ties"].title == "ties: above 0 on 1 of 2 targets less the baseline"
    assert drawn["barriers"].title == "Barriers against gains: 1 of 2 merges are above their baseline"
    assert drawn.keys() == {"gains_ties", "barriers"}


def test_numbers_of_examples_are_a_learning_curve(figures):
    drawn = figures(*(study("x", seed, merge=0.5, num_train=num) for num in (8, 1600) for seed in (0, 1)))
    assert drawn["examples_x"].title == "x from 8 to 1,600 training examples"
    assert drawn.keys() == {"examples_x"}


def test_a_slash_in_a_tasks_name_is_no_folder(figures):
    assert figures(*(study("glue/x", 0, merge=0.5, num_train=num) for num in (8, 16))).keys() == {"examples_glue-x"}


def test_other_settings_are_no_learning_curve(figures):
    studies = [study("x", 0, merge=0.5, num_train=num) for num in (8, 16, 16)]
    studies[2]["command"] += " trainer.batch_size=4"
    assert figures(*studies) == {}
