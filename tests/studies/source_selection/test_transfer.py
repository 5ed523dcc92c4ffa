"""What one source alone brings."""

import pytest

from dfwe.studies.plan import load_plan, plan_study
from dfwe.studies.source_selection.transfer import Transfer


@pytest.fixture
def evidence():
    """A function from a configuration to a criterion's evidence, and the store."""

    def of(config, *, train):
        draft, criterion = load_plan(config), Transfer(train)
        found = criterion.inputs(draft.factory, target=draft.target, candidates=draft.candidates, seed=config.seed)
        return criterion, found, draft.family.context.store

    return of


def test_a_gain_is_the_dev_score_of_the_fine_tuned_expert_minus_that_of_the_baseline(ran, evidence):
    criterion, found, store = evidence(ran[2], train=True)
    study = plan_study(ran[2])

    def dev(stage):
        return stage.dev(stage.find(store)).score

    expected = {name: dev(study.experts[name]) - dev(study.baseline) for name in ("emory_emotion", "personality")}
    assert criterion.scores(found, store=store) == expected


def test_its_stages_are_those_of_the_study(ran, evidence):
    _, found, _ = evidence(ran[2], train=True)
    digests = {(part, stage.digest) for part, stage in plan_study(ran[2]).parts()}
    parts = [(part, stage.digest) for part, stage in found.parts()]
    assert [part for part, _ in parts] == ["baseline", "train", "finetune", "train", "finetune"]
    assert set(parts) <= digests


def test_without_training_only_what_the_store_holds_is_known(ran, small, evidence):
    more = small(ran[1], "sources=[emory_emotion,question_answering,personality]")
    criterion, found, store = evidence(more, train=False)
    assert list(criterion.scores(found, store=store)) == ["emory_emotion", "personality"]
    assert [part for part, _ in found.parts()] == ["baseline", "finetune", "finetune"]


def test_of_another_seed_the_store_holds_nothing(ran, small, evidence):
    criterion, found, store = evidence(small(ran[1], "seed=7"), train=False)
    assert list(found.parts()) == []
    assert criterion.scores(found, store=store) == {}
