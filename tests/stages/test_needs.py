"""Every stage says which stages it needs, and a study lists them before it."""

from dfwe.studies.plan import plan_study


def test_a_study_lists_every_stage_after_those_it_needs(small, tmp_path):
    before = set()
    baselines = "baselines=[multitask,ensemble,random,same_compute]"
    for _, stage in plan_study(small(tmp_path, "decoding_comparison=[greedy]", "merge=fisher", baselines)).stages():
        assert {need.digest for need in stage.needs} <= before, stage.title
        before.add(stage.digest)


def test_each_kind_of_stage_needs_what_it_reads(small, tmp_path):
    study = plan_study(small(tmp_path, "merge=fisher"))
    parent, trained, experts = study.pretraining[-1], study.trained["personality"], study.experts["personality"]
    assert (parent.needs, trained.needs, experts.needs) == ((), (parent,), (parent, trained))
    merge = study.merges["fisher"]
    assert merge.statistics[0].needs == (parent, merge.statistics[0].experts[0])
    assert merge.needs == (parent, *study.experts.values(), *merge.statistics)
    assert study.evaluations["baseline"].needs[1] == study.baseline
    assert study.evaluations["fisher"].needs == (parent, merge, *merge.needs)
