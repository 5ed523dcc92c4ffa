"""Candidates that other processes evaluate are evaluated as here, in their order, on the same memory."""

import numpy as np
import pytest
import torch

from dfwe.errors import MetricError
from dfwe.merging.experts import ExpertArray, Layout
from dfwe.records import Coefficients, Evaluation
from dfwe.search.measure import Found
from dfwe.stages.candidate_pool import Examiner
from dfwe.studies.plan import plan_study

ASKED = [Coefficients(("a", "b"), (place / 8, 1 - place / 8)) for place in range(8)]


def here(coefficients, best):
    """The score tells the coefficients, the seconds where it was found."""
    return Found(Evaluation(coefficients.values[0], {}, (), np.zeros((0, 0))), 0.0)


def helper(ray):
    """One that evaluates likewise, unless the merge's digest says otherwise."""

    class Helper:
        def examine(self, digest, shared, coefficients, best):
            import os

            import numpy as np

            from dfwe.errors import MetricError
            from dfwe.records import Evaluation
            from dfwe.search.measure import Found

            if digest == "dies":
                os._exit(1)
            if digest == "fails":
                raise MetricError("no score")
            return Found(Evaluation(coefficients.values[0], {}, (), np.zeros((0, 0))), 1.0)

    return ray.remote(num_cpus=1)(Helper).remote()


@pytest.fixture
def crew_of(on_ray):
    """A function from a digest to a crew of this process and two helpers."""
    from dfwe.execution.ray.crew import RayCrew

    helpers = [helper(on_ray), helper(on_ray)]
    yield lambda digest: RayCrew(digest, helpers)
    for each in helpers:
        on_ray.kill(each)


def test_candidates_come_back_in_their_order_and_all_have_evaluated_some(crew_of):
    found = list(crew_of("works").together(ASKED, None, here))
    assert [each.evaluation.score for each in found] == [each.values[0] for each in ASKED]
    assert {each.seconds for each in found} == {0.0, 1.0}


def test_one_candidate_alone_is_evaluated_here(crew_of):
    (found,) = crew_of("dies").together(ASKED[:1], None, here)
    assert found.seconds == 0.0


def test_what_lost_helpers_had_is_evaluated_here(crew_of, caplog):
    crew = crew_of("dies")
    for _ in range(2):  # the second time there is no helper any more
        found = list(crew.together(ASKED, None, here))
        assert [(each.evaluation.score, each.seconds) for each in found] == [(each.values[0], 0.0) for each in ASKED]
    assert caplog.text.count("a worker that evaluated candidates was lost") == 2


def test_an_error_of_a_helper_s_comes_out_as_it_was_raised(crew_of):
    with pytest.raises(MetricError, match="^no score$"):
        list(crew_of("fails").together(ASKED, None, here))


def test_the_experts_array_is_the_same_memory_in_all_workers(on_ray):
    from dfwe.execution.ray.crew import RayCrew

    layout = Layout(("w",), (torch.Size([250_000]),))
    array = ExpertArray(("a", "b"), layout, torch.rand(2, 250_000), torch.rand(250_000), ({"w": torch.rand(3)}, {}))
    shared = RayCrew("merge", []).share(array)
    assert torch.equal(shared.weights, array.weights)
    assert torch.equal(shared.parent, array.parent)
    assert torch.equal(shared.statistics[0]["w"], array.statistics[0]["w"])
    assert not np.asarray(shared.weights.numpy()).flags.owndata


def test_an_examiner_finds_what_the_search_found(ran, small):
    study = plan_study(ran[2])
    stage = study.merges["nelder_mead"]
    examiner = Examiner(stage, array=stage.expert_array())
    dev = stage.result(study.family.context.store).card.result
    picked = Coefficients(tuple(dev["coefficients"]), tuple(dev["coefficients"].values()))
    found = examiner(picked, None).evaluation
    assert found.scores == dev["dev"]
    assert examiner(picked, found).evaluation.predictions == found.predictions  # a race that is not lost
