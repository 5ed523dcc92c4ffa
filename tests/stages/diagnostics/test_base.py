"""Probes are stages like any other, and what they find is in results."""

import pytest
import torch

from dfwe.conf import conf_dir
from dfwe.errors import ConfigurationError
from dfwe.stages.diagnostics.base import load_diagnostics
from dfwe.studies.plan import plan_study
from dfwe.sweeps.plan import summary

BOTH = "diagnostics=[leave_one_out,interpolation]"


@pytest.fixture
def planned(small, ran):
    """A function from overrides to the plan of the study that has run, with the uniform mixture kept."""
    before = torch.get_num_threads()
    yield lambda *overrides: plan_study(small(ran[1], "merge.selection=uniform", *overrides))
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", sorted(path.stem for path in (conf_dir() / "diagnostic").glob("*.yaml")))
def test_every_probe_is_bound(name):
    assert list(load_diagnostics([name])) == [name]


def test_an_unknown_probe_is_an_error_with_the_choice(small, tmp_path):
    with pytest.raises(
        ConfigurationError,
        match="unknown diagnostics 'radar': choose among connectedness, interpolation, leave_one_out",
    ):
        plan_study(small(tmp_path, "diagnostics=[radar]"))


def test_probes_come_after_what_they_need(planned):
    before = set()
    for _, stage in planned(BOTH).stages():
        assert {need.digest for need in stage.needs} <= before, stage.title
        before.add(stage.digest)


def test_probes_have_a_row_in_the_plan_where_there_are_some(planned):
    assert "diagnostics" not in summary([planned()])["rows"]
    row = summary([planned(BOTH)])["rows"]["diagnostics"]
    assert row["needed"] == 1 + 6  # the merge; the pairs of four experts


def test_probes_that_were_made_are_found_again_and_tell_what_others_will_take(planned, probed):
    row = summary([planned(BOTH)])["rows"]["diagnostics"]
    assert (row["there"], row["to_do"]) == (7, 0)
    row = summary([planned(BOTH, "seed=5")])["rows"]["diagnostics"]
    assert (row["to_do"], row["unknown"], row["alike"]) == (7, 0, 7)
    assert summary([planned(BOTH, "model.seed=1")])["rows"]["diagnostics"]["unknown"] == 7


@pytest.mark.parametrize("stages", ["stages.skip=[evaluate]", "stages.until=baseline"])
def test_a_study_that_is_not_evaluated_has_no_probes(planned, stages):
    assert planned(BOTH, stages).diagnostics == ()


def test_probes_are_of_the_merge_that_was_asked_for(planned):
    study = planned("+merge@merges.second=linear", "diagnostics=[leave_one_out]")
    assert [each.merge for each in study.diagnostics] == [study.merges["nelder_mead"]]


def test_pairs_are_shared_with_other_merges_of_the_same_experts(planned):
    first, other = (planned(BOTH, f"merge.search.budget={budget}") for budget in (4, 5))
    alike = [{stage.digest for each in study.diagnostics for stage in each.stages} for study in (first, other)]
    assert len(alike[0] & alike[1]) == 6


def test_what_probes_asked_is_told_beside_the_models_costs(probed):
    size = probed["n"]["dev"]
    rows = {row["name"]: row for row in probed["models"]}
    assert probed["diagnostics"]["leave_one_out"]["dev_answers"] == size * len(rows["nelder_mead"]["leave_one_out"])
    assert probed["diagnostics"]["interpolation"]["dev_answers"] == size * 6 * 5
