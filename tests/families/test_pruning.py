"""An evaluation is given up exactly where no answers to the rest could give the best score."""

import numpy as np
import pytest

from dfwe.families.pruning import Pruner
from dfwe.metrics.classification import F1, Accuracy
from dfwe.metrics.scorer import Scorer
from dfwe.metrics.span import TokenF1Macro

LABELS = ("red", "green", "blue")
ACCURACY = Scorer({"acc": Accuracy(LABELS)})
REFERENCES = [["red"], ["green"], ["blue"], ["red"]]


def pruner(scorer, answers, *, references=REFERENCES):
    return Pruner(scorer, references=references, best=scorer.evaluate(answers, references=references))


def test_a_model_has_lost_once_the_best_is_out_of_reach():
    against = pruner(ACCURACY, ["red", "green", "red", "green"])  # 2 of 4
    assert not against.is_lost([0], ["green"])
    assert not against.is_lost([1], ["red"])  # 2 of 4 can still be had: a tie
    assert against.is_lost([2], ["red"])
    assert against.bound == 0.25


def test_what_ties_with_the_best_is_answered_to_the_end():
    best = ["red", "red", "blue", "green"]
    against = pruner(ACCURACY, best)
    assert not any(against.is_lost([index], [answer]) for index, answer in enumerate(best))


@pytest.mark.parametrize("seed", range(20))
def test_a_tie_of_fractions_summed_in_another_order_is_no_loss(seed):
    generator = np.random.default_rng(seed)
    words = ["one", "two", "three", "four", "five", "six", "seven"]
    references = [[" ".join(generator.choice(words, size=5))] for _ in range(40)]
    answers = [" ".join(generator.choice(words, size=3)) for _ in range(40)]
    against = pruner(Scorer({"F1": TokenF1Macro()}), answers, references=references)
    order = generator.permutation(40)
    assert not any(against.is_lost([int(index)], [answers[index]]) for index in order)


@pytest.mark.parametrize("seed", range(30))
def test_a_lost_race_could_not_have_been_won_and_one_not_lost_was_not_worse(seed):
    generator = np.random.default_rng(seed)
    scorer = Scorer({each: F1(LABELS, each) for each in ("micro", "macro", "weighted")})
    references = [[label] for label in generator.choice(LABELS, size=25)]
    first, second = ([str(label) for label in generator.choice([*LABELS, "pink"], size=25)] for _ in range(2))
    against = pruner(scorer, first, references=references)
    groups = np.array_split(generator.permutation(25), 6)
    order = against.order([group.tolist() for group in groups], sizes=[len(group) for group in groups])
    lost = [against.is_lost(groups[place].tolist(), [second[i] for i in groups[place]]) for place in order]
    scores = [scorer.evaluate(answers, references=references).score for answers in (first, second)]
    assert lost[-1] == (scores[1] < scores[0] - 1e-9)
    assert lost == sorted(lost)  # once lost, always lost


def test_groups_that_cost_the_best_most_for_their_size_come_first():
    against = pruner(ACCURACY, ["red", "red", "red", "green"])  # wrong at 1, 2 and 3
    assert against.order([[0], [1, 2], [3]], sizes=[1, 4, 1]) == [2, 1, 0]
    assert against.order([[0], [1, 2], [3]], sizes=[1, 2, 8]) == [1, 2, 0]


def test_the_order_is_that_of_the_groups_whatever_theirs_was():
    against = pruner(ACCURACY, ["red", "green", "blue", "green"])  # 0, 1, 2 cost nothing
    groups = [[2], [0], [3], [1]]
    assert [groups[place] for place in against.order(groups, sizes=[1] * 4)] == [[3], [0], [1], [2]]
