"""The statistics stage: computed once per expert, kept in the store."""

import pytest
import torch
from omegaconf import OmegaConf

from dfwe.conf import conf_dir
from dfwe.config.instantiate import bind, plain
from dfwe.errors import ConfigurationError
from dfwe.merging.engine import prepare_merge
from dfwe.merging.expert_array import Layout, load_experts
from dfwe.merging.methods.linear import Linear
from dfwe.merging.methods.statistics import DfMerge, Fisher, Regmean
from dfwe.stages.statistics import statistics_of, statistics_stages
from dfwe.stages.train import WEIGHTS
from dfwe.studies.plan import plan_study

REGMEAN = Regmean(alpha=0.5, ridge=1e-7)
FISHER = {
    "_target_": "dfwe.families.statistics.fisher.DiagonalFisher",
    "examples": 6,
    "answers": "expected",
    "samples": 2,
}
GRAM = {"_target_": "dfwe.families.statistics.gram.Gram", "examples": 6}
MERGED = {
    "_target_": "dfwe.families.statistics.merged_gram.MergedGram",
    "examples": 3,
    "method": {"_target_": "dfwe.merging.methods.statistics.Regmean", "alpha": 0.5, "ridge": 1e-7},
}
METHODS = [
    (Fisher(floor=1e-6, normalise=True), FISHER),
    (DfMerge(scale=1.0, floor=1e-6, normalise=True), FISHER),
    (REGMEAN, GRAM),
    (REGMEAN, MERGED),
]


@pytest.fixture(scope="module")
def study(small, tmp_path_factory):
    """A study whose experts can be trained: two of them, one epoch each."""
    overrides = ("stages.until=finetune", "trainer.train.epochs=1", "trainer.finetune.epochs=1")
    return plan_study(small(tmp_path_factory.mktemp("store"), *overrides))


@pytest.fixture
def stages(study):
    """stages(method, config, seed=0): the stages of the study's first two experts."""

    def make(method, config, seed=0):
        experts = dict(list(study.experts.items())[:2])
        return statistics_stages(
            config, method=method, family=study.family, experts=experts, objective=study.objective, seed=seed
        )

    return make


@pytest.mark.parametrize(("method", "config"), METHODS, ids=["fisher", "df_merge", "regmean", "regmean_pp"])
def test_every_rule_merges_experts_with_what_its_stages_collected(study, stages, method, config):
    made = stages(method, config)
    store, model = study.family.context.store, study.family.model(())
    experts = {expert.recipe.name: expert.result(store).file(WEIGHTS) for stage in made for expert in stage.experts}
    parent = torch.cat([p.detach().flatten() for p in model.parameters()])
    array = load_experts(experts, layout=Layout.of(model), parent=parent)
    found = statistics_of(made, store=store)
    assert all(set(each) <= set(array.layout.names) and each for each in found)
    array = type(array)(array.names, array.layout, array.weights, array.parent, found)
    merged, mean = (torch.full((array.layout.size,), torch.nan) for _ in range(2))
    prepare_merge(method, array)(torch.tensor([[0.5, 0.5]]).numpy(), {}, merged)
    prepare_merge(Linear(), array)(torch.tensor([[0.5, 0.5]]).numpy(), {}, mean)
    assert bool(merged.isfinite().all())
    assert not torch.equal(merged, mean)
    assert float((merged - mean).norm()) < 2 * float((array.weights[0] - array.weights[1]).norm())


def test_an_expert_is_measured_once(study, stages, monkeypatch):
    first = statistics_of(stages(REGMEAN, GRAM), store=study.family.context.store)

    def refuse(*arguments, **names):
        raise AssertionError("measured again")

    monkeypatch.setattr("dfwe.stages.statistics.StatisticsStage.make", refuse)
    again = statistics_of(stages(REGMEAN, dict(GRAM)), store=study.family.context.store)
    assert all(torch.equal(a[name], b[name]) for a, b in zip(first, again, strict=True) for name in a)


def test_there_is_one_stage_an_expert_or_one_for_all(stages):
    assert [len(stage.experts) for stage in stages(REGMEAN, GRAM)] == [1, 1]
    (together,) = stages(REGMEAN, MERGED)
    assert together.title == "statistics of meld, mixture"
    assert stages(Linear(), None) == ()


def test_other_settings_seeds_and_experts_are_other_results(stages):
    digests = {stage.digest for stage in (*stages(REGMEAN, GRAM), *stages(REGMEAN, GRAM, seed=1))}
    digests |= {stage.digest for stage in stages(REGMEAN, GRAM | {"examples": 7})}
    assert len(digests) == 6


def test_a_rule_whose_statistics_nobody_collects_stops_the_study_before_it_trains(stages):
    with pytest.raises(ConfigurationError, match="fisher needs `merge.statistics`"):
        stages(METHODS[0][0], None)


@pytest.mark.parametrize("name", ["fisher", "df_merge", "regmean", "regmean_pp"])
def test_every_configuration_collects_what_its_rule_reads(name):
    config = plain(OmegaConf.load(conf_dir() / "merge" / f"{name}.yaml"))
    method, collector = bind(config["method"]), bind(config["statistics"])
    method.check(3)
    assert method.properties.needs_statistics
    assert collector.examples > 0
    assert collector.together == (name == "regmean_pp")
    assert getattr(collector, "method", method) == method  # the layers before are merged as the method merges
