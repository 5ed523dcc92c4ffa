"""What each expert brings to a merge."""

import logging
from types import SimpleNamespace

import pytest
import torch

from dfwe.errors import MergeError
from dfwe.records import Coefficients
from dfwe.search.space import Range, Setting, Space
from dfwe.stages.diagnostics.leave_one_out import LeaveOneOut, LeaveOneOutStage, without
from dfwe.stages.merge import MergeStage
from dfwe.studies.plan import plan_study

SETTING = Setting("scale", Range(0.1, 2.0), 1.0)


def left(space, values, expert):
    return list(without(Coefficients(space.names, tuple(values)), expert, space=space).values)


def test_on_the_simplex_the_others_are_scaled_to_the_same_sum():
    assert left(Space(("a", "b", "c")), [0.5, 0.2, 0.3], "a") == pytest.approx([0.0, 0.4, 0.6])


def test_each_group_is_scaled_by_itself_and_settings_stay():
    space = Space(("a", "b", "c"), ("g", "h"), settings=(SETTING,))
    found = left(space, [0.5, 0.2, 0.3, 0.2, 0.8, 0.0, 1.7], "b")
    assert found == pytest.approx([0.625, 0.0, 0.375, 1.0, 0.0, 0.0, 1.7])


def test_in_a_box_the_others_stay_as_they_are():
    assert left(Space(("a", "b"), box=Range(-0.5, 1.5)), [0.9, -0.2], "a") == [0.0, -0.2]


def test_an_expert_with_all_of_a_group_cannot_be_left_out():
    with pytest.raises(MergeError, match="nothing is left in the group h to be scaled"):
        left(Space(("a", "b"), ("g", "h")), [0.5, 0.5, 1.0, 0.0], "a")
    with pytest.raises(MergeError, match="nothing is left to be scaled"):
        left(Space(("a", "b")), [1.0, 0.0], "a")


@pytest.fixture
def kept(ran, small, tmp_path, monkeypatch, scattered):
    """A function from what a merge is said to have kept to the study, and what the stage and the probe tell of it."""
    before, load = torch.get_num_threads(), MergeStage.expert_array
    monkeypatch.setattr(MergeStage, "expert_array", lambda stage: scattered(load(stage)))

    def of(values, *overrides, picked="search"):
        study = plan_study(small(ran[1], *overrides))
        merge = study.merges[study.headline]
        coefficients = dict(zip(study.experts, values, strict=True))
        entry = SimpleNamespace(card=SimpleNamespace(result={"picked": picked, "coefficients": coefficients}))
        with monkeypatch.context() as patch:
            patch.setattr(MergeStage, "result", lambda stage, store: entry)
            card, _ = LeaveOneOutStage(study.family, study.target, merge).make(tmp_path, tell=lambda share: None)
        return study, card, LeaveOneOut().result(merge, cards=[card], dev={})

    yield of
    torch.set_num_threads(before)


def test_each_score_is_that_of_the_mean_of_the_others(kept, scales):
    study, card, told = kept([0.25] * 4, "merge=linear")
    first, second, third, fourth = map(scales.weigh, study.merges["linear"].expert_array().weights)
    assert told.of_merge["leave_one_out"] == {
        "meld": pytest.approx((second + third + fourth) / 3, rel=1e-4),
        "mixture": pytest.approx((first + third + fourth) / 3, rel=1e-4),
        "emory_emotion": pytest.approx((first + second + fourth) / 3, rel=1e-4),
        "personality": pytest.approx((first + second + third) / 3, rel=1e-4),
    }
    assert scales.exact == [True] * 4
    assert card["dev_answers"] == 4 * len(study.family.instances(study.target, split="dev"))


@pytest.mark.parametrize("method", ["karcher", "multislerp", "task_arithmetic", "fisher"])
def test_of_two_experts_the_other_is_left_alone_whatever_the_rule(kept, scales, method):
    study, _, told = kept([0.0, 0.4, 0.0, 0.6], f"merge={method}")
    _, second, _, fourth = map(scales.weigh, study.merges[method].expert_array().weights)
    found = told.of_merge["leave_one_out"]
    assert found == {"mixture": pytest.approx(fourth, rel=1e-4), "personality": pytest.approx(second, rel=1e-4)}
    assert abs(second - fourth) > 1.0


@pytest.mark.parametrize(
    ("picked", "reason"), [("expert", "it kept one expert alone"), ("search", "without mixture, nothing is left")]
)
def test_an_expert_alone_cannot_be_left_out_and_that_is_said(kept, caplog, picked, reason):
    with caplog.at_level(logging.INFO):
        _, card, told = kept([0.0, 1.0, 0.0, 0.0], picked=picked)
    assert (told.of_merge, card["dev"], card["dev_answers"]) == ({}, {}, 0)
    assert f"no leave_one_out of nelder_mead: {reason}" in caplog.text


def test_the_row_of_the_merge_that_was_asked_for_has_the_scores(probed):
    rows = {row["name"]: row for row in probed["models"]}
    assert "leave_one_out" not in rows["uniform"]
    assert list(rows["nelder_mead"]["leave_one_out"]) == list(rows["nelder_mead"]["coefficients"])
