"""A merge whose search does not see all of dev."""

import json

import pytest

from dfwe.errors import ConfigurationError
from dfwe.run_study import run_study
from dfwe.studies.plan import plan_study

SPLIT = "merge/holdout=split"


def merge_of(config, *, folder):
    run_study(config, folder=folder)
    results = json.loads((folder / "results.json").read_text())
    return next(row for row in results["models"] if row["name"] == "nelder_mead")


@pytest.mark.parametrize("asked", [(SPLIT,), ("merge/holdout=k_fold", "merge.holdout.number=3")])
def test_holdout_result_is_in_results_and_repeatable(small, ran, tmp_path, asked):
    config = small(ran[1], *asked)
    found = merge_of(config, folder=tmp_path)
    assert found["holdout"].keys() == {"examples", "score", "start", "expert"}
    study = plan_study(config)
    stage = study.merges[study.headline]
    (tmp_path / "again").mkdir()
    again, _ = stage.make(tmp_path / "again", tell=lambda done: None)
    first = stage.find(study.family.context.store).card.result
    assert json.loads(json.dumps({**again, "seconds": None})) == {**first, "seconds": None}


def test_diagnostics_have_diameters_and_repeats(small, ran, tmp_path):
    _, store, _ = ran
    found = merge_of(small(store, "merge.search.budget=9"), folder=tmp_path)["search_diagnostics"]
    assert found["diameters"][0] == pytest.approx(2**0.5)  # a simplex of unit edges
    assert found["repeats"] >= 1  # the start, which is its first corner


def test_holdout_resumed_search_is_the_same(small, ran, tmp_path):
    _, store, _ = ran
    config = small(store, SPLIT, "merge.search.budget=6")
    study = plan_study(config)
    stage = study.merges[study.headline]
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


def test_holdout_by_name_is_the_option_of_the_group(small, ran):
    _, store, _ = ran
    by_group, by_name = (plan_study(small(store, more)) for more in (SPLIT, "merge.holdout=split"))
    assert by_group.merges[by_group.headline].digest == by_name.merges[by_name.headline].digest


def test_holdout_unknown_name_is_refused(small, tmp_path):
    with pytest.raises(ConfigurationError, match=r"unknown merge\.holdout 'magic': choose among k_fold, split"):
        plan_study(small(tmp_path, "merge.holdout=magic"))
