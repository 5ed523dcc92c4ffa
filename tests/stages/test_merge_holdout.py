"""A merge whose search does not see all of dev."""

import json

import pytest

from dfwe.errors import ConfigurationError, SearchError
from dfwe.run_study import run_study
from dfwe.studies.plan import plan_study

HELD = ("merge.search.confirm=held_back", "merge.search.shrink=[0.5,1.0]")


def merge_of(config, *, folder):
    run_study(config, folder=folder)
    results = json.loads((folder / "results.json").read_text())
    return next(row for row in results["models"] if row["name"] == "nelder_mead")


@pytest.mark.parametrize("asked", [HELD, ("merge.search.confirm=folds", "merge.search.confirms.folds.number=3")])
def test_the_result_says_what_confirms_it_and_a_second_run_the_same(small, ran, tmp_path, asked):
    _, store, _ = ran
    found = merge_of(small(store, *asked), folder=tmp_path)
    assert found["confirm"].keys() == {"examples", "score", "unshrunk", "shrunk", "start", "expert"}
    again = merge_of(small(store, *asked, "seed=0"), folder=tmp_path)
    assert again == found


def test_health_tells_of_the_simplex_and_of_repeated_points(small, ran, tmp_path):
    _, store, _ = ran
    found = merge_of(small(store, "merge.search.budget=9"), folder=tmp_path)["health"]
    assert found["diameters"][0] == pytest.approx(2**0.5)  # a simplex of unit edges
    assert found["repeats"] >= 1  # the start, which is its first corner


def test_a_killed_search_goes_on_with_the_same_parts(small, ran, tmp_path):
    _, store, _ = ran
    config = small(store, *HELD, "merge.search.budget=6")
    study = plan_study(config)
    stage = study.merges[study.asked]
    whole, part = tmp_path / "whole", tmp_path / "part"
    for folder in (whole, part):
        folder.mkdir()
    result, _ = stage.make(whole, tell=lambda done: None)
    for name in ("trials.jsonl", "predictions.jsonl", "sums.txt"):
        lines = (whole / name).read_bytes().splitlines(keepends=True)
        (part / name).write_bytes(b"".join(lines[:3]))
    again, _ = stage.make(part, tell=lambda done: None)
    assert {**again, "seconds": None} == {**result, "seconds": None}
    assert len((part / "trials.jsonl").read_text().splitlines()) == len(
        (whole / "trials.jsonl").read_text().splitlines()
    )


def test_without_it_its_numbers_do_not_name_the_merge(small, ran):
    _, store, _ = ran
    plain, changed = (plan_study(small(store, *more)) for more in ((), ("merge.search.confirms.held_back.share=0.5",)))
    assert plain.merges[plain.asked].digest == changed.merges[changed.asked].digest


@pytest.mark.parametrize(
    ("asked", "error", "match"),
    [
        ("merge.search.shrink=[0.5]", ConfigurationError, "it needs merge.search.confirm=held_back or folds"),
        ("merge.search.confirm=magic", ConfigurationError, "must be null or held_back, folds, not 'magic'"),
    ],
)
def test_what_cannot_be_is_refused_before_training(small, tmp_path, asked, error, match):
    with pytest.raises(error, match=match):
        plan_study(small(tmp_path, asked))


def test_a_share_out_of_range_is_refused_before_training(small, tmp_path):
    with pytest.raises(SearchError, match="between 0 and 1, not 1.5"):
        plan_study(small(tmp_path, HELD[0], "merge.search.confirms.held_back.share=1.5"))
