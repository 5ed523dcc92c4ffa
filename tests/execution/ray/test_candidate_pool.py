"""Candidates that other processes evaluate: the same results, in their order, on the same memory."""

import time

import numpy as np
import pytest
import torch

from dfwe.errors import ExecutorError, MetricError
from dfwe.execution.candidate_evaluator import candidate_evaluator
from dfwe.merging.expert_array import ExpertArray, Layout
from dfwe.models.adapters import Factors
from dfwe.records import Coefficients, Evaluation
from dfwe.search.trial_runner import TimedEvaluation
from dfwe.studies.plan import plan_study

CANDIDATES = [Coefficients(("a", "b"), (place / 8, 1 - place / 8)) for place in range(8)]
LAYOUT = Layout(("w",), (torch.Size([250_000]),))
ARRAY = ExpertArray(("a", "b"), LAYOUT, torch.rand(2, 250_000), torch.rand(250_000), ({"w": torch.rand(3)}, {}))


def here(coefficients, best):
    """Score a candidate by its coefficients; 0 seconds mark this process."""
    time.sleep(0.05)
    return TimedEvaluation(Evaluation(coefficients.values[0], {}, (), np.zeros((0, 0))), 0.0)


def helper(ray, fault):
    """Start one that scores likewise, in 1 second, with that fault."""

    class Helper:  # local, so that Ray sends its code along
        def ready(self):
            pass

        def evaluate(self, coefficients, best):
            import os
            from pathlib import Path

            import numpy as np

            from dfwe.errors import MetricError
            from dfwe.records import Evaluation
            from dfwe.search.trial_runner import TimedEvaluation

            if fault == "dies":
                os._exit(1)
            if isinstance(fault, Path) and not fault.exists():
                fault.touch()
                os._exit(1)
            if fault == "fails":
                raise MetricError("no score")
            return TimedEvaluation(Evaluation(coefficients.values[0], {}, (), np.zeros((0, 0))), 1.0)

    return ray.remote(num_cpus=1, max_restarts=1, max_task_retries=1)(Helper).remote()


@pytest.fixture
def pool_of(on_ray):
    """A function from a fault to a pool of this process and two helpers, which have started."""
    from dfwe.execution.ray.candidate_pool import RayCandidatePool

    pools = []

    def started(fault, *, num_helpers=2):
        pools.append(RayCandidatePool(lambda array: helper(on_ray, fault), num_helpers=num_helpers))
        pools[-1].share(ARRAY)
        on_ray.wait(list(pools[-1]._busy), num_returns=num_helpers)
        return pools[-1]

    yield started
    for pool in pools:
        pool.close()


def scores_of(results):
    return [result.evaluation.score for result in results]


def test_pool_evaluates_in_order_and_side_by_side(pool_of):
    results = list(pool_of(None).evaluate_batch(CANDIDATES, None, here))
    assert scores_of(results) == [candidate.values[0] for candidate in CANDIDATES]
    assert {result.seconds for result in results} == {0.0, 1.0}


def test_pool_evaluates_a_single_candidate_here(pool_of):
    (result,) = pool_of("dies").evaluate_batch(CANDIDATES[:1], None, here)
    assert result.seconds == 0.0


def test_pool_without_room_for_helpers_evaluates_here(on_ray):
    from dfwe.execution.ray.candidate_pool import RayCandidatePool

    starving = ray_actor_without_room(on_ray)
    pool = RayCandidatePool(lambda array: starving, num_helpers=1)
    pool.share(ARRAY)
    assert scores_of(pool.evaluate_batch(CANDIDATES, None, here)) == [candidate.values[0] for candidate in CANDIDATES]
    pool.close()


def ray_actor_without_room(ray):
    class Starving:
        def ready(self):
            pass

    return ray.remote(num_cpus=1000)(Starving).remote()


def test_pool_repeats_the_candidate_of_a_lost_helper(pool_of, tmp_path):
    results = list(pool_of(tmp_path / "died").evaluate_batch(CANDIDATES, None, here))
    assert (tmp_path / "died").exists()
    assert scores_of(results) == [candidate.values[0] for candidate in CANDIDATES]


def test_pool_with_a_helper_lost_too_often_raises(pool_of):
    with pytest.raises(ExecutorError, match=r"lost once more than executor\.retries allows"):
        list(pool_of("dies").evaluate_batch(CANDIDATES, None, here))


def test_pool_raises_the_error_of_a_helper(pool_of):
    with pytest.raises(MetricError, match="^no score$"):
        list(pool_of("fails").evaluate_batch(CANDIDATES, None, here))


def test_pool_shares_the_experts_array_without_copies(on_ray):
    from dfwe.execution.ray.candidate_pool import RayCandidatePool

    shared = RayCandidatePool(lambda array: None, num_helpers=0).share(ARRAY)
    assert torch.equal(shared.weights, ARRAY.weights)
    assert torch.equal(shared.parent, ARRAY.parent)
    assert torch.equal(shared.statistics[0]["w"], ARRAY.statistics[0]["w"])
    assert not np.asarray(shared.weights.numpy()).flags.owndata


def test_pool_shares_adapters_and_their_base_once(on_ray):
    from dfwe.execution.ray.candidate_pool import RayCandidatePool

    layout = Layout(("w.weight", "norm"), (torch.Size([300, 400]), torch.Size([400])))
    base, factors = torch.rand(layout.size), Factors(torch.rand(2, 400), torch.rand(300, 2), 0.5, False)
    adapters = ({"w.weight": factors, "norm": torch.rand(400)}, None)
    array = ExpertArray(("a", "b"), layout, torch.rand(1, layout.size), base, adapters=adapters, base=base)
    shared = RayCandidatePool(lambda array: None, num_helpers=0).share(array)
    assert shared.parent is shared.base
    assert shared.num_bytes == array.num_bytes
    for ours, theirs in zip(array.tensors(), shared.tensors(), strict=True):
        assert all(map(torch.equal, ours, theirs))
    assert not np.asarray(shared.base.numpy()).flags.owndata


def test_candidate_evaluator_equals_the_search(ran, small):
    study = plan_study(ran[2])
    stage = study.merges["nelder_mead"]
    evaluator = candidate_evaluator(stage, array=stage.expert_array())
    card = stage.result(study.family.context.store).card.result
    coefficients = Coefficients(tuple(card["coefficients"]), tuple(card["coefficients"].values()))
    evaluation = evaluator(coefficients, None).evaluation
    assert evaluation.scores == card["dev"]
    assert evaluator(coefficients, evaluation).evaluation.predictions == evaluation.predictions  # it keeps up
