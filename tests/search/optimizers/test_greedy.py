from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dfwe.errors import SearchError
from dfwe.records import Coefficients, Evaluation, Trial
from dfwe.search.loop import run_search
from dfwe.search.optimizers.greedy import Greedy
from dfwe.search.selection import GreedySoup, SelectionContext
from dfwe.search.space import Range, Setting, Space
from dfwe.search.trial_runner import ExtraTrials, TrialRunner

NAMES = ("a", "b", "c", "d")
OWN = {"a": 0.5, "b": 0.7, "c": 0.6, "d": 0.5}


def evaluation(score):
    return Evaluation(score, {}, ("yes",), np.ones((1, 2)))


def known(space, own=OWN):
    return [Trial(0, "expert", space.vertex(name), evaluation(score)) for name, score in own.items()]


def soups(scores, *, space=None, own=OWN, strict=False):
    """The soups that are asked, each named by its experts, which `scores` scores."""
    space = space or Space(NAMES)
    search, asked = Greedy(space, seed=0, budget=40, strict=strict), []
    search.initialize(known(space, own))
    while (point := search.ask()) is not None:
        row = space.matrix(space.at(point))[0]
        asked.append("".join(name for name, value in zip(space.experts, row, strict=True) if value > 1e-9))
        search.tell(point, loss=-scores[asked[-1]])
    return asked


def test_greedy_experts_join_unless_they_lower_the_score():
    # b alone has 0.7; with c 0.65: c stays out; with a 0.7, as before: a joins; then d
    assert soups({"bc": 0.65, "ab": 0.7, "abd": 0.6}) == ["bc", "ab", "abd"]


def test_greedy_strict_soup_matches_figure_2():
    """An independent transcription of the pseudocode on a stub."""
    generator = np.random.default_rng(0)
    for _ in range(200):
        scores = {}

        def score(soup, scores=scores):
            return scores.setdefault("".join(sorted(soup)), int(generator.integers(1, 5)) / 4)

        own = {name: score([name]) for name in NAMES}
        best, soup = 0.0, []
        for name in sorted(own, key=lambda name: -own[name]):
            if score([*soup, name]) > best:
                soup.append(name)
                best = score(soup)
        search = Greedy(Space(NAMES), seed=0, budget=40, strict=True)
        search.initialize(known(Space(NAMES), own))
        while (point := search.ask()) is not None:
            asked = [name for name, value in Space(NAMES).at(point).as_dict().items() if value > 1e-9]
            search.tell(point, loss=-score(asked))
        assert {name for name, value in search.final_candidate.as_dict().items() if value > 0} == set(soup)


def test_greedy_soup_of_all_is_exactly_uniform():
    space = Space(NAMES)
    search = Greedy(space, seed=0, budget=40)
    search.initialize(known(space))
    for _ in NAMES[1:]:
        point = search.ask()
        search.tell(point, loss=-0.9)
    assert space.at(point) == Coefficients.uniform(NAMES)
    assert search.ask() is None


def test_greedy_evaluates_the_best_vertex_if_it_differs():
    space = Space(NAMES, vertices=False)
    assert soups({"b": 0.3, "bc": 0.4, "abc": 0.5, "abcd": 0.6}, space=space) == ["b", "bc", "abc", "abcd"]
    assert Greedy(space, seed=0, budget=40).budget == 5


def test_greedy_groups_share_the_soup():
    setting = Setting("scale", Range(0.0, 2.0), 1.0)
    space = Space(("a", "b", "c"), groups=("low", "high"), settings=(setting,))
    search = Greedy(space, seed=0, budget=40)
    search.initialize(known(space, {"a": 0.1, "b": 0.3, "c": 0.2}))
    found = space.at(search.ask())
    np.testing.assert_array_equal(space.matrix(found), [[0, 0.5, 0.5]] * 2)
    assert space.values_of_settings(found) == {"scale": 1.0}


def test_greedy_in_a_range_averages_the_soup():
    space = Space(("a", "b", "c"), box=Range(-0.5, 1.5))
    search = Greedy(space, seed=0, budget=40)
    search.initialize(known(space, {"a": 0.1, "b": 0.3, "c": 0.2}))
    np.testing.assert_allclose(space.at(search.ask()).values, [0, 0.5, 0.5], atol=1e-12)


@pytest.mark.parametrize("low", [-0.5, 0.0])
def test_greedy_in_a_range_ends_with_a_trial_of_its_own(low):
    space = Space(NAMES, box=Range(low, 1.5))
    search = Greedy(space, seed=0, budget=40)
    scores = iter((0.1, 0.8, 0.9, 0.2))  # the start's comes first
    runner = TrialRunner(lambda _: evaluation(next(scores)))
    trials = run_search(search, space=space, runner=runner, initial_trials=known(space), budget=search.budget)
    run = ExtraTrials(runner, last=len(trials)).run
    context = SelectionContext(run, lambda totals: totals[..., 0], 0, final_candidate=search.final_candidate)
    assert GreedySoup().choose(trials, context=context).evaluation.score == 0.9


def test_greedy_evaluates_start_and_later_soups():
    space, calls = Space(NAMES), []
    search = Greedy(space, seed=0, budget=40)

    def score(coefficients):
        calls.append(coefficients)
        return evaluation(0.0)

    trials = run_search(
        search, space=space, runner=TrialRunner(score), initial_trials=known(space), budget=search.budget
    )
    assert len(calls) == len(trials) - 4 == search.budget == 4


def test_greedy_neither_prunes_nor_batches():
    search = Greedy(Space(NAMES), seed=0, budget=40)
    assert (search.supports_pruning, search.batch_size) == (False, 1)


def test_greedy_expert_without_score_raises():
    with pytest.raises(SearchError, match=r"each expert's own dev score, but c, d have none"):
        Greedy(Space(NAMES), seed=0, budget=40).initialize(known(Space(NAMES))[:2])


@pytest.mark.parametrize("box", [Range(0.1, 1.0), Range(0.0, 0.9)])
def test_greedy_range_without_zero_or_one_raises(box):
    with pytest.raises(SearchError, match=r"needs coefficients from 0 to 1, but merge.coefficients go from"):
        Greedy(Space(NAMES, box=box), seed=0, budget=40)


def test_greedy_soup_rule_keeps_the_soup():
    space = Space(NAMES)
    search = Greedy(space, seed=0, budget=40)
    values = {"abcd": 0.9, "bc": 0.6, "ab": 0.8, "abd": 0.7}

    def score(coefficients):
        return evaluation(values["".join(name for name, value in coefficients.as_dict().items() if value > 1e-9)])

    trials = run_search(
        search, space=space, runner=TrialRunner(score), initial_trials=known(space), budget=search.budget
    )
    context = SelectionContext(
        ExtraTrials(TrialRunner(score), last=len(trials)).run,
        lambda totals: totals[..., 0],
        seed=0,
        final_candidate=search.final_candidate,
    )
    assert GreedySoup().choose(trials, context=context).evaluation.score == 0.8
    with pytest.raises(SearchError, match="set merge/search=greedy"):
        GreedySoup().choose(trials, context=replace(context, final_candidate=None))
