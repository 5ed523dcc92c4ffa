"""What results warn of."""

from dataclasses import replace

import pytest

from dfwe.records import Instance
from dfwe.results.warnings import (
    StudyWarning,
    ended_early,
    of_answers,
    of_merges,
    of_scores,
    of_split,
    of_training,
    once,
)

INSTANCE = Instance("i", "d", "context", "prompt", ("joy",), ("joy",), ("joy", "fear"))


def instances(*golds):
    return [replace(INSTANCE, references=(gold,), dialogue_id=f"d{number}") for number, gold in enumerate(golds)]


def of(golds, split="dev", *, is_target=True):
    return [(each.code, each.withholds) for each in of_split("moods", split, instances=golds, is_target=is_target)]


def test_a_split_with_one_class_tells_nothing_apart():
    assert of(instances(*["joy"] * 40)) == [("one_class", True)]
    assert of(instances(*["joy"] * 40), "train", is_target=False) == [("one_class", False)]
    assert of(instances(*["joy"] * 39, "fear")) == []


def test_one_gold_answer_does_not_matter_to_a_score_that_reads_none():
    assert not list(of_split("m", "dev", instances=instances(*["0"] * 40), is_target=True, reads_gold=False))


def test_fewer_than_30_of_dev_or_test_are_few_and_train_may_be_small():
    few, enough = instances(*["joy", "fear"] * 14, "joy"), instances(*["joy", "fear"] * 15)
    assert of(few) == [("small_dev", True)]
    assert of(few, "test") == [("small_test", True)]
    assert of(few, "train") == []
    assert of(enough) == of(enough, "test") == []


def test_many_instances_of_few_dialogues_are_few_to_compare_by():
    shared = [replace(INSTANCE, references=(gold,), dialogue_id=f"d{n % 29}") for n, gold in enumerate("ab" * 50)]
    (found,) = of_split("moods", "test", instances=shared, is_target=True)
    assert found.text.startswith("moods has 100 test instances; they are of 29 dialogues or groups, fewer than 30")
    assert of(shared, "dev") == []


def test_scores_that_do_not_differ_cannot_choose():
    (found,) = of_scores([("a", 0.5), ("b", 0.5), ("c", None)], split="dev")
    assert (found.code, found.withholds) == ("cannot_move", True)
    assert "all 2 models score 50.0 on dev" in found.text
    assert not list(of_scores([("a", 0.5), ("b", 0.25)], split="dev"))
    assert not list(of_scores([("a", 0.5)], split="dev"))


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"a": ("x", "y"), "b": ("x", "y")}, "the same answers"),
        ({"a": ("x", "x"), "b": ("y", "y")}, "one answer to all"),
        ({"a": ("x", "y"), "b": ("y", "y")}, None),
    ],
)
def test_answers_that_do_not_differ_compare_nothing(answers, words):
    found = [each.text for each in of_answers(answers)]
    assert [words in text for text in found] == ([] if words is None else [True])


def test_merges_that_are_one_expert_are_named_in_one_warning_for_each_expert():
    experts = {"ties": "meld", "slerp": "taste", "linear": "meld", "uniform": None}
    rows = [{"name": name, "kind": "merge", "is_expert": expert} for name, expert in experts.items()]
    both, one = of_merges([*rows, {"name": "ratatouille_greedy", "kind": "baseline", "is_expert": "meld"}])
    assert (both.code, both.subject) == ("same_as_expert", "ties, linear, ratatouille_greedy")
    assert both.text.startswith("ties, linear, Ratatouille (greedy) are each the expert meld as it is: their selection")
    assert one.text == "slerp is the expert taste as it is: its selection kept none of the mixtures that were tried"
    assert not list(of_merges(rows[-1:]))


def test_each_warning_is_said_once():
    same = StudyWarning("cannot_move", "test", "first")
    assert (
        once([same, StudyWarning("cannot_move", "test", "second"), StudyWarning("one_class", "test", "other")])[0]
        == same
    )
    assert len(once([same, same])) == 1


def trained(*scores, criterion="target"):
    return {"epochs": [{"target": score, "own": None} for score in scores], "criterion": criterion}


def test_a_best_epoch_that_is_the_cap_was_not_done():
    late, done = ended_early(trained(0.1, 0.2, 0.3), cap=3), ended_early(trained(0.1, 0.3, 0.2), cap=3)
    assert (late, done) == (3, None)
    (found,) = of_training({"baseline": late, "meld": done, "mixture": late}, key="trainer.finetune.epochs")
    assert (found.subject, found.withholds) == ("baseline, mixture", False)
    assert "raise trainer.finetune.epochs above 3" in found.text
    assert not list(of_training({"meld": done}, key="trainer.finetune.epochs"))


@pytest.mark.parametrize(("scores", "cap"), [((0.1, 0.3, 0.2, 0.1), 9), ((0.1, 0.3), 9), ((0.3, 0.3), 2)])
def test_a_training_that_ended_by_itself_or_was_flat_is_done(scores, cap):
    assert ended_early(trained(*scores), cap=cap) is None


def test_one_epoch_alone_was_not_done():
    assert ended_early(trained(0.1), cap=1) == 1


def test_where_dev_does_not_decide_nothing_is_known():
    assert ended_early(trained(0.1, 0.2, criterion="last"), cap=2) is None
    assert ended_early(trained(0.1, 0.2) | {"best_epoch": 0}, cap=2) is None  # a student that kept its start
