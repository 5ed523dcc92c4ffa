"""Planned jobs are the studies that the jobs will run."""

import pytest
import torch
from hydra import compose

from dfwe.config.task_options import read_tasks
from dfwe.errors import ConfigurationError
from dfwe.studies.plan import plan_study
from dfwe.studies.recipes import DfwePlan
from dfwe.sweeps.compositions import Compositions


@pytest.fixture
def kept_threads():
    """Planning sets torch's threads; other tests want theirs."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def small_jobs(multirun, small_overrides, tmp_path, kept_threads):
    """A function from overrides to jobs of small studies and their planner; their store is empty."""

    def of(*overrides, own_sources=False):
        small = [each for each in small_overrides if not (own_sources and each.startswith("sources="))]
        return multirun(*small, "trainer.threads=1", f"paths.store={tmp_path}/store", *overrides)

    return of


def digests(study):
    return [(part, stage.digest) for part, stage in study.stages()]


@pytest.mark.parametrize(
    "overrides",
    [
        ["+target=meld", "seed=0,3"],
        ["+sweep=source_triples", "+target=meld,personality", "sources=all", "subset.number=1"],
        ["+target=meld,MELD_emotion_recognition", "merge=ties,linear", "seed=1"],
        ["+target=relation_extraction", "sources=emotions", "data.shots=0.5", "trainer.train.stop_on=own"],
        ["+target=meld", "trainer.precision=bf16-mixed,32-true"],
        ["+target=meld", "target.meld.max_new_tokens=7"],
        ["+target=meld", "seed=1,2", "data.shots_seed=${seed}", "data.shots=0.5"],
    ],
)
def test_a_planned_study_has_the_stages_of_the_composed_one(small_jobs, overrides):
    jobs, study_of = small_jobs(*overrides)
    for job in jobs:
        assert digests(study_of(job)) == digests(plan_study(compose("config", overrides=list(job.overrides))))


def test_a_seed_that_a_yaml_reads_is_the_jobs(small_jobs):
    jobs, _ = small_jobs("+target=meld", "seed=1,2", "data.shots=0.5")

    def composed_by(overrides):
        config = compose("config", overrides=list(overrides))
        config.data.shots_seed = "${seed}"
        return config

    study_of = Compositions(composed_by).study
    for job in jobs:
        assert digests(study_of(job)) == digests(plan_study(composed_by(job.overrides)))


def test_a_planned_job_is_refused_as_the_job_itself(multirun, kept_threads):
    jobs, study_of = multirun("experiment=cuts_and_stitches", "merge=ties", "seed=0,1")
    with pytest.raises(ConfigurationError, match="does not use merge: leave it out"):
        study_of(jobs[0])


def test_targets_share_a_composition_with_all_sources(small_jobs):
    jobs, study_of = small_jobs("+target=meld,personality,MELD_emotion_recognition", "sources=all", own_sources=True)
    assert len({job.composed for job in jobs}) == 1
    studies = [study_of(job) for job in jobs]
    assert [len(study.sources) for study in studies] == [6, 6, 6]
    assert studies[0].family.context.data.corpora is studies[1].family.context.data.corpora
    for job, study in zip(jobs[:2], studies, strict=False):
        assert digests(study) == digests(plan_study(compose("config", overrides=list(job.overrides))))


def test_each_target_has_its_own_sources_unless_they_are_said(small_jobs):
    jobs, study_of = small_jobs("+sweep=all_targets", "+target=meld,personality", own_sources=True)
    for job in jobs:
        study = study_of(job)
        assert [task.short for task in study.sources] == read_tasks()[study.target.short].default_sources
        assert digests(study) == digests(plan_study(compose("config", overrides=list(job.overrides))))


def test_a_job_that_chooses_its_sources_is_a_draft_until_they_are_known(small_jobs, tmp_path):
    auto = (
        "sources=auto",
        "source_selection.number=2",
        "source_selection.by.gradients.measure.examples=4",
        "model.max_source_tokens=512",
    )
    jobs, study_of = small_jobs("+target=meld,personality", *auto, own_sources=True)
    drafts = [study_of(job) for job in jobs]
    assert all(isinstance(draft, DfwePlan) for draft in drafts)
    of_meld, of_personality = ({stage.digest for _, stage in draft.parts()} for draft in drafts)
    assert len(of_meld & of_personality) == 1 + 7  # the parent, and each task measured; not the choices
    for _, stage in drafts[0].parts():
        stage.result(drafts[0].family.context.store)
    study = study_of(jobs[0])
    assert digests(study) == digests(plan_study(compose("config", overrides=list(jobs[0].overrides))))
    assert len(study.sources) == 2


def test_jobs_of_one_bench_share_their_stages(small_jobs):
    jobs, study_of = small_jobs("+sweep=source_triples", "+target=meld", "sources=all", "subset.number=0,1")
    first, second = map(study_of, jobs)
    shared = {task.short for task in first.sources} & {task.short for task in second.sources}
    assert len(shared) == 2
    assert all(first.experts[name] is second.experts[name] for name in (*shared, "meld"))
    assert first.experts["mixture"] is not second.experts["mixture"]
    assert first.baseline is second.baseline


@pytest.mark.parametrize(("stop_on", "alike"), [("own", True), ("target", False)])
def test_experts_on_one_task_serve_every_target_where_they_stop_on_their_own(small_jobs, stop_on, alike):
    jobs, study_of = small_jobs("+target=meld,personality", "sources=all", f"trainer.train.stop_on={stop_on}")
    meld, personality = map(study_of, jobs)
    for name in ("emory_emotion", "meld", "personality"):
        assert (meld.trained[name].digest == personality.trained[name].digest) is alike
        assert meld.experts[name].digest != personality.experts[name].digest
    assert meld.trained["mixture"].digest != personality.trained["mixture"].digest


def test_experts_that_are_merged_without_fine_tuning_keep_their_target(small_jobs):
    jobs, study_of = small_jobs("+target=meld", "stages.skip=[finetune]", "trainer.train.stop_on=own")
    assert study_of(jobs[0]).trained["emory_emotion"].recipe.objective.short == "meld"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["+target=meld,personality"], "the target 'personality' is among its sources"),
        (["+target=relation_extraction", "subset.number=1", "subset.size=2"], "subset.number must be 0 to 0"),
        (["+target=meld", "data.shots=???"], r"a value is missing: set data\.shots=\.\.\."),
        (["seed=0"], "a study needs one target"),
        (["+target=meld", "source_selection=fisher", "subset.number=0"], "subset.number=0 takes a subset"),
        (["+target=meld", "merge.name=meld"], "merge.name=meld: an expert is called so"),
        (["multitask=cuts_and_stitches"], "multitask.columns has 'sst' for SST"),
        (["+target=meld", "multitask=cuts_and_stitches"], "does not use target: leave it out"),
    ],
)
def test_what_a_job_would_say_is_said_of_its_plan(small_jobs, overrides, message):
    jobs, study_of = small_jobs(*overrides)
    with pytest.raises(ConfigurationError, match=message):
        study_of(jobs[-1])


def test_controls_are_bound_once_for_all_jobs(small_jobs):
    jobs, study_of = small_jobs("+target=meld", "baselines=[random,ensemble]", "seed=0,1")
    first, second = (study_of(job) for job in jobs)
    assert first.baselines["random"].method is second.baselines["random"].method
    assert first.baselines["random"].digest != second.baselines["random"].digest
