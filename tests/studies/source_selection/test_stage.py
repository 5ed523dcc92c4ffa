"""A study that chooses its sources."""

import json

import pytest

from dfwe.errors import ConfigurationError, DataError
from dfwe.results.costs import Costs
from dfwe.run_study import run_study
from dfwe.studies.plan import load_plan, plan_study
from dfwe.studies.recipes import DfwePlan
from dfwe.studies.study import Study
from dfwe.sweeps.plan import summary

AUTO = (
    "sources=auto",
    "source_selection.number=2",
    "source_selection.by.gradients.measure.examples=6",
    "model.max_source_tokens=512",
)
KNOWN = (
    "sources=[emory_emotion,question_answering,personality]",
    "source_selection.number=2",
    "source_selection.by.transfer.train=false",
)


@pytest.fixture(scope="module")
def chosen(small, tmp_path_factory):
    """The run's folder and the configuration of a small study that has chosen two of six sources."""
    folder, store = tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("store")
    config = small(store, *AUTO, "merge=uniform")
    run_study(config, folder=folder)
    return folder, config


def results(folder):
    found = json.loads((folder / "results.json").read_text())
    return {key: value for key, value in found.items() if key != "seconds"}


def test_the_best_are_the_sources_and_the_results_say_why(chosen):
    found = results(chosen[0])
    choice, study = found["source_selection"], plan_study(chosen[1])
    scores = [each["scores"]["gradients"] for each in choice["ranking"]]
    assert len(scores) == 6
    assert scores == sorted(scores, reverse=True)
    assert choice["selected"] == sorted(each["task"] for each in choice["ranking"][:2])
    assert [task.short for task in study.sources] == choice["selected"]
    assert (choice["by"], choice["number"], choice["unknown"]) == (["gradients"], 2, [])
    assert choice["stage"] == f"choice-{study.source_selection.digest}"
    assert set(choice["evidence"]["gradients"]["own"]) == {each["task"] for each in choice["ranking"]}


def test_a_second_run_makes_nothing_and_says_the_same(chosen, tmp_path, monkeypatch):
    def refuse(*arguments, **names):
        raise AssertionError("a stage was made again")

    for kind in ("train.TrainStage", "statistics.StatisticsStage"):
        monkeypatch.setattr(f"dfwe.stages.{kind}.make", refuse)
    monkeypatch.setattr("dfwe.studies.source_selection.stage.SelectSourcesStage.make", refuse)
    run_study(chosen[1], folder=tmp_path)
    assert results(tmp_path) == results(chosen[0])


def test_chosen_sources_are_the_experts_of_a_study_that_says_them(chosen, small):
    study = plan_study(chosen[1])
    sources = ",".join(task.short for task in study.sources)
    said = small(chosen[1].paths.store, f"sources=[{sources}]", AUTO[-1])
    experts = {name: stage.digest for name, stage in plan_study(said).experts.items()}
    assert {name: stage.digest for name, stage in study.experts.items()} == experts
    assert plan_study(said).source_selection is None


def test_the_table_says_what_was_chosen(chosen, tmp_path, capsys):
    run_study(chosen[1], folder=tmp_path)
    text = " ".join(capsys.readouterr().out.split())
    first = results(chosen[0])["source_selection"]["ranking"][0]
    assert f"Sources chosen by gradients: {first['task']} (gradients {first['scores']['gradients']:+.3f})" in text


def test_before_the_choice_a_plan_holds_what_choosing_needs_and_after_it_all(small, tmp_path):
    draft = load_plan(small(tmp_path, *AUTO)).resolve_if_ready()
    assert isinstance(draft, DfwePlan)
    plan = summary([draft])
    assert (plan["undecided"], plan["rows"]["choices"]["to_do"], plan["rows"]["experts"]["needed"]) == (1, 8, 0)
    for _, stage in draft.parts():
        stage.result(draft.family.context.store)
    study = draft.resolve_if_ready()
    assert isinstance(study, Study)
    after = summary([study])
    assert (after["undecided"], after["rows"]["choices"]["to_do"], after["rows"]["experts"]["to_do"]) == (0, 0, 9)


def test_experts_in_the_store_choose_and_what_was_there_is_part_of_the_choice(ran, small):
    study = plan_study(small(ran[1], *KNOWN, "source_selection=transfer"))
    assert [task.short for task in study.sources] == ["emory_emotion", "personality"]
    result = study.source_selection.result(study.family.context.store).card.result
    assert result["unknown"] == ["question_answering"]
    both = load_plan(small(ran[1], *KNOWN, "source_selection=[transfer,gradients]")).source_selection
    assert list(both.inputs) == ["transfer", "gradients"]
    assert len(both.inputs["gradients"].per_candidate) == 3


def test_where_too_little_is_known_nothing_is_guessed(ran, small):
    draft = load_plan(small(ran[1], *KNOWN, "source_selection=transfer", "source_selection.number=3"))
    with pytest.raises(ConfigurationError, match="no criterion knows anything of question_answering"):
        draft.resolve()


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        (
            ["sources=auto", "source_selection.number=7"],
            ConfigurationError,
            "source_selection.number is 7, but meld has only these cand",
        ),
        (["sources=auto", "subset.number=3"], ConfigurationError, "subset.number=3 takes a subset .* set one"),
        (
            ["sources=[meld,personality]", "source_selection=fisher"],
            ConfigurationError,
            "the target 'meld' is among its sources",
        ),
        (
            ["+source_selection.by.luck={odds: 1}"],
            ConfigurationError,
            "source_selection.by.luck must name the class of a criterion",
        ),
        (
            ["+source_selection.by.x={_target_: dfwe.merging.methods.linear.Linear}"],
            ConfigurationError,
            "is a Linear, which is not a crit",
        ),
        (
            ["sources=auto", "~data.generator.task_fractions.personality_detection"],
            DataError,
            "no instance of personality",
        ),
        (
            ["multitask=cuts_and_stitches", "source_selection=fisher"],
            ConfigurationError,
            "a study of listed models selects no sources",
        ),
    ],
)
def test_what_cannot_work_is_said_before_anything_runs(small, tmp_path, overrides, error, message):
    with pytest.raises(error, match=message):
        run_study(small(tmp_path / "store", *overrides), folder=tmp_path)
    assert not [*(tmp_path / "store").glob("statistics-*"), *(tmp_path / "store").glob("train-*")]


def test_rows_with_a_source_cost_the_selection(ran, small):
    settings = [*KNOWN, "source_selection.number=1", "baselines=[same_compute]"]
    study = plan_study(small(ran[1], *settings, "source_selection=transfer"))
    (source,), selection, store = study.sources, study.source_selection, study.family.context.store
    plain, costs = (Costs(store, chosen) for chosen in (None, selection))
    assert costs.of(study.baseline) == plain.of(study.baseline)
    others = [stage for stage in selection.needs if stage.digest != study.experts[source.short].digest]
    cost, alone = (each.of(study.experts[source.short])["training"] for each in (costs, plain))
    assert cost == alone + sum(plain.of(stage)["training"] for stage in others)
    named = plan_study(small(ran[1], f"sources=[{source.short}]", "baselines=[same_compute]"))
    longer, shorter = (each.baselines["same_compute"].num_planned_steps for each in (study, named))
    assert longer > shorter
