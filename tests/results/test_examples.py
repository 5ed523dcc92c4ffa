"""Errors worth reading."""

from dfwe.metrics.classification import Accuracy
from dfwe.metrics.correlation import Pearson
from dfwe.metrics.scorer import Scorer
from dfwe.metrics.span import TokenF1Macro
from dfwe.records import Instance
from dfwe.results.details import MOST_EXAMPLES, changed_answers

SCORER = Scorer(metrics={"acc": Accuracy(labels=["a", "b"])})


def found(before, after, *, text="Is it?"):
    instances = [Instance(str(n), "d", "", text, ("a",), ("a",)) for n in range(len(before))]
    references = [instance.references for instance in instances]
    one, other = (SCORER.evaluate(list(answers), references=references) for answers in (before, after))
    return changed_answers(other, baseline=one, instances=instances, scorer=SCORER, seed=0)


def test_what_was_fixed_and_what_was_broken_is_told_apart():
    made = found("abba", "aabb")
    assert (made["num_fixed"], made["num_broke"]) == (1, 1)
    assert made["fixed"] == [{"instance_id": "1", "source": "Is it?", "gold": ["a"], "before": "b", "after": "a"}]
    assert made["broke"][0]["instance_id"] == "3"


def test_of_many_some_are_drawn_in_their_order_and_all_are_counted():
    made = found("b" * 50, "a" * 50)
    drawn = [int(each["instance_id"]) for each in made["fixed"]]
    assert made["num_fixed"] == 50
    assert drawn == sorted(drawn)
    assert len(set(drawn)) == MOST_EXAMPLES


def test_answers_that_score_nothing_alone_are_not_compared():
    scorer = Scorer(metrics={"r": Pearson(unparsable=-1.0)})
    ours, theirs = (scorer.evaluate(answers, references=[("1",), ("2",)]) for answers in (["1", "2"], ["2", "1"]))
    assert changed_answers(ours, baseline=theirs, instances=[], scorer=scorer, seed=0) == {}


def test_answers_that_are_partly_right_are_graded():
    scorer, references = Scorer(metrics={"f1": TokenF1Macro()}), [("rachel green",)]
    ours, theirs = (scorer.evaluate([answer], references=references) for answer in ("rachel", "ross"))
    instances = [Instance("0", "d", "", "Who?", ("rachel green",), ("rachel green",))]
    assert changed_answers(ours, baseline=theirs, instances=instances, scorer=scorer, seed=0)["are_graded"]
    assert not found("ab", "aa")["are_graded"]


def test_a_long_source_loses_its_beginning():
    made = found("b", "a", text="x" * 5000 + " the question")
    assert made["fixed"][0]["source"].startswith("… x")
    assert made["fixed"][0]["source"].endswith("the question")
    assert len(made["fixed"][0]["source"]) < 1600
