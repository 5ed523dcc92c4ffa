"""The straight lines between experts."""

from itertools import combinations

import pytest
import torch

from dfwe.errors import ConfigurationError
from dfwe.stages.diagnostics import interpolation
from dfwe.stages.diagnostics.interpolation import Interpolation, PairStage
from dfwe.stages.train import expert_array
from dfwe.studies.plan import plan_study


@pytest.fixture
def study(ran, small):
    before = torch.get_num_threads()
    yield plan_study(small(ran[1]))
    torch.set_num_threads(before)


def test_every_two_experts_have_a_line_with_both_ends_known_from_training(probed):
    rows = {row["name"]: row for row in probed["models"]}
    experts = [row["name"] for row in probed["models"] if row["kind"] == "expert"]
    lines = probed["interpolations"]
    assert [(line["a"], line["b"]) for line in lines] == list(combinations(experts, 2))
    for line in lines:
        assert [point["share"] for point in line["points"]] == pytest.approx([number / 6 for number in range(7)])
        assert line["points"][0]["dev"] == rows[line["a"]]["dev"]["score"]
        assert line["points"][-1]["dev"] == rows[line["b"]]["dev"]["score"]


def test_results_have_each_pair_by_its_names_with_its_barrier(study):
    cards = [{"points": [{"share": n / 2, "dev": dev} for n, dev in enumerate((0.6, d, 0.4))]} for d in range(6)]
    told = Interpolation(points=1).result(study.merges["nelder_mead"], cards=cards, dev={})
    lines = told.of_study["interpolations"]
    assert (lines[5]["a"], lines[5]["b"], lines[5]["points"]) == ("emory_emotion", "personality", cards[5]["points"])
    assert [line["barrier"] for line in lines] == pytest.approx([0.5, *[0.0] * 5])  # the line is at 0.5 in the middle


def test_a_point_is_the_score_of_the_mixed_weights(study, tmp_path, monkeypatch, scales, scattered):
    arrays = []
    load = lambda *args, **kwargs: arrays.append(scattered(expert_array(*args, **kwargs))) or arrays[0]  # noqa: E731
    monkeypatch.setattr(interpolation, "expert_array", load)
    pair = [study.experts[name] for name in ("meld", "personality")]
    card, _ = PairStage(study.family, study.target, *pair, 3).make(tmp_path, tell=lambda share: None)
    first, second = map(scales.weigh, arrays[0].weights)
    scores = [0.25, *(first + share * (second - first) for share in (0.25, 0.5, 0.75)), 0.25]
    assert [point["dev"] for point in card["points"]] == [pytest.approx(score, rel=1e-4) for score in scores]
    assert [point["share"] for point in card["points"]] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert abs(second - first) > 1.0
    assert scales.exact == [False] * 3  # as training scored the ends
    assert card["dev_answers"] == 3 * len(study.family.instances(study.target, split="dev"))


def test_a_line_needs_a_point():
    with pytest.raises(ConfigurationError, match="points must be at least 1, not 0"):
        Interpolation(points=0)
