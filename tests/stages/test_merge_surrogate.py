"""A merge whose search has a surrogate in front."""

import json

import pytest

from dfwe.errors import ConfigurationError
from dfwe.run_study import run_study
from dfwe.stages.train import DEV_LABEL_SCORES
from dfwe.studies.plan import plan_study

LOGITS = ("merge/surrogate=logits", "merge.search.budget=9")


def test_surrogate_correlation_is_in_the_result(small, ran, tmp_path):
    _, store, _ = ran
    config = small(store, *LOGITS)
    run_study(config, folder=tmp_path)
    study = plan_study(config)
    result = study.merges[study.headline].result(study.family.context.store).card.result
    assert set(result["surrogate"]) == {"rank_correlation", "used_until", "switched_off"}
    assert result["surrogate"]["used_until"] == 8
    trials = [json.loads(line) for line in (tmp_path / "trials.jsonl").read_text().splitlines()]
    assert [trial["kind"] for trial in trials[:9]] == ["uniform"] + ["search"] * 8


def test_experts_store_label_scores_of_dev(ran):
    _, _, config = ran
    study = plan_study(config)
    for stage in study.merges[study.headline].experts.values():
        entry = stage.result(study.family.context.store)
        scores = stage.label_scores(entry)
        assert entry.file(DEV_LABEL_SCORES).exists()
        answers = [study.target.labels[place] for place in scores.argmax(axis=1)]
        assert answers == list(stage.dev(entry).predictions)


def test_surrogate_is_off_for_free_text(small, tmp_path, caplog):
    config = small(tmp_path / "store", "decode=greedy", *LOGITS)
    run_study(config, folder=tmp_path)
    assert "merge.surrogate is off: the task's answers are free text" in caplog.text
    assert len((tmp_path / "trials.jsonl").read_text().splitlines()) >= 2


def test_surrogate_unknown_name_is_refused(small, tmp_path):
    with pytest.raises(ConfigurationError, match=r"unknown merge\.surrogate 'magic': choose among logits"):
        plan_study(small(tmp_path, "merge.surrogate=magic"))
