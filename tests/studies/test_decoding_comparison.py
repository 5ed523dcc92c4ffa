"""DecodingComparison between ways of answering."""

import json

import pytest

from dfwe.errors import ConfigurationError
from dfwe.run_study import run_study
from dfwe.studies.decoding_comparison import decoding_results
from dfwe.studies.plan import plan_study

QUESTIONS = ("+target=question_answering", "sources=[meld]")


def results(folder):
    return json.loads((folder / "results.json").read_text())


@pytest.fixture(scope="module")
def compared(ran, small, tmp_path_factory):
    """The run's folder and the configuration of the small study, its answers in three ways."""
    folder, config = tmp_path_factory.mktemp("compared"), small(ran[1], "decoding_comparison=[greedy,labels,reference]")
    run_study(config, folder=folder)
    return folder, config


def test_the_headlines_two_models_answer_in_every_way_the_studys_own_first(compared):
    found = results(compared[0])["decoding_comparison"]
    assert found["default"] == "labels"
    assert [model["name"] for model in found["models"]] == ["baseline", "nelder_mead"]
    assert all([row["way"] for row in each["ways"]] == ["labels", "greedy", "reference"] for each in found["models"])


def test_shares_and_scores_are_those_of_the_answers(compared):
    study = plan_study(compared[1])
    instances, store = study.family.context.data.instances(study.target, split="test"), study.family.context.store
    rows = {row["way"]: row for row in results(compared[0])["decoding_comparison"]["models"][1]["ways"]}
    stages = {"labels": study.evaluations["nelder_mead"]}
    stages |= {way: stages["nelder_mead"] for way, stages in study.decoding_comparison.stages.items()}
    found = {way: stage.evaluation(stage.result(store)) for way, stage in stages.items()}
    for way, row in rows.items():
        pairs = list(zip(found[way].predictions, found["labels"].predictions, strict=True))
        assert row["same"] == sum(one == other for one, other in pairs) / len(instances)
        assert row["no_label"] == sum(one not in study.target.labels for one, _ in pairs) / len(instances)
        assert row["score"] == found[way].score
        assert row["stage"] == f"evaluate-{stages[way].digest}"
    assert (rows["labels"]["same"], rows["labels"]["no_label"]) == (1.0, 0.0)
    assert found["greedy"].predictions != found["labels"].predictions


def test_the_delta_is_to_the_baseline_that_answers_in_the_same_way(compared):
    baseline, merge = results(compared[0])["decoding_comparison"]["models"]
    for ours, other in zip(merge["ways"], baseline["ways"], strict=True):
        assert ours["delta"] == pytest.approx(ours["score"] - other["score"])
        assert "delta" not in other


def test_all_else_stays_as_it_was_without(compared, ran):
    ours, other = results(compared[0]), results(ran[0])
    assert other["decoding_comparison"] == {}
    assert {**ours, "decoding_comparison": 0, "seconds": 0} == {**other, "decoding_comparison": 0, "seconds": 0}


def test_a_second_run_answers_nothing_again(compared, tmp_path, monkeypatch):
    def refuse(*arguments, **names):
        raise AssertionError("a stage was made again")

    monkeypatch.setattr("dfwe.stages.evaluate.EvaluateStage.make", refuse)
    run_study(compared[1], folder=tmp_path)
    assert results(tmp_path)["decoding_comparison"] == results(compared[0])["decoding_comparison"]


def test_a_study_of_sampled_answers_compares_with_labels(small, tmp_path):
    overrides = (
        "decode=reference",
        "decoding_comparison=[labels]",
        "trainer.train.epochs=1",
        "trainer.finetune.epochs=1",
    )
    run_study(small(tmp_path / "store", *overrides, "sources=[personality]"), folder=tmp_path)
    found = results(tmp_path)
    assert (found["decode"], found["decoding_comparison"]["default"]) == ("reference", "reference")
    sampled, labels = found["decoding_comparison"]["models"][1]["ways"]
    assert (labels["way"], labels["no_label"]) == ("labels", 0.0)
    assert sampled["score"] == found["headline"]["test"]
    asking = json.loads((tmp_path / "merged" / "dfwe.json").read_text())
    assert (asking["decode"], asking["reference"]["num_beams"]) == ("reference", 2)


def digests(config):
    study = plan_study(config)
    return study.evaluations["baseline"].digest, study.decoding_comparison.stages["reference"]["baseline"].digest


def test_the_references_numbers_name_what_they_made_and_nothing_else(ran, small):
    own, sampled = digests(small(ran[1], "decoding_comparison=[reference]"))
    again, other = digests(small(ran[1], "decoding_comparison=[reference]", "decoding.reference.num_beams=3"))
    assert own == again
    assert sampled != other
    beams = [f"decoding.reference.num_beams={number}" for number in (2, 3)]
    two, three = (plan_study(small(ran[1], "decode=reference", each)).baseline.digest for each in beams)
    assert two != three


def test_free_text_can_be_forced_on_every_task_and_is_another_study(ran, small):
    study = plan_study(small(ran[1], "decode=greedy", "decoding_comparison=[labels,greedy]"))
    assert study.family.decoding(study.target) == study.decoding_comparison.default == "greedy"
    assert list(study.decoding_comparison.stages) == ["labels"]
    assert study.baseline.digest != plan_study(small(ran[1])).baseline.digest


def test_a_task_of_free_text_has_no_labels_to_compare_with(small, ran, caplog):
    with pytest.raises(
        ConfigurationError, match=r"decoding_comparison=\[labels\]: .* is answered in free text.*reference"
    ):
        plan_study(small(ran[1], *QUESTIONS, "decoding_comparison=[labels]"))
    study = plan_study(small(ran[1], *QUESTIONS, "decoding_comparison=[labels,greedy,reference]"))
    assert (study.decoding_comparison.default, list(study.decoding_comparison.stages)) == ("greedy", ["reference"])
    assert "decoding_comparison leaves out labels: question_answering is answered in free text" in caplog.text


def test_of_free_text_there_is_no_share_of_labels_and_what_is_left_out_is_said(small, ran):
    study = plan_study(small(ran[1], *QUESTIONS, "decoding_comparison=[labels,greedy]"))
    found = decoding_results(study.decoding_comparison, evaluations=study.evaluations, seed=0)
    assert list(found) == ["left_out"]


def test_without_the_headlines_models_all_are_compared_and_without_tests_none(ran, small):
    without = plan_study(small(ran[1], "decoding_comparison=[greedy]", "stages.skip=[merge,baseline]"))
    assert list(without.decoding_comparison.stages["greedy"]) == list(without.evaluations) != []
    early = plan_study(small(ran[1], "decoding_comparison=[greedy]", "stages.until=merge"))
    assert decoding_results(early.decoding_comparison, evaluations=early.evaluations, seed=0) == {}
