"""A study that races finds what it finds without."""

import json

import pytest

from dfwe.run_study import run_study

BUDGET = 12
# Far beyond the experts, so that many a candidate is bad enough to be stopped, in batches of a few instances.
RANDOM = (
    "merge=task_arithmetic",
    "merge.method.scale=20.0",
    "merge/search=random",
    "merge.selection=argmax",
    f"merge.search.budget={BUDGET}",
    "stages.skip=[finetune]",
    "trainer.eval_tokens.cpu=128",
    "trainer.train.learning_rate=0.1",
    "trainer.finetune.learning_rate=0.1",
    "export=false",
)


@pytest.fixture(scope="module")
def studies(small, tmp_path_factory):
    """The folders of one study with racing and without, over the same experts."""
    store, folders = tmp_path_factory.mktemp("store"), {}
    for race in (True, False):
        folders[race] = tmp_path_factory.mktemp("run")
        config = small(store, *RANDOM, f"merge.search.pruning={race}")
        run_study(config, folder=folders[race])
    return folders


def read(folder, file):
    return json.loads((folder / file).read_text())


def lines(folder, file):
    return [json.loads(line) for line in (folder / file).read_text().splitlines()]


def test_pruning_keeps_selection_scores_and_answers(studies):
    raced, whole = (read(studies[race], "results.json") for race in (True, False))
    costs = {"not_dearer", "as_well"}  # pruning saves answers, so models cost another share of the merge
    assert all(raced["headline"][key] == whole["headline"][key] for key in whole["headline"].keys() - costs)
    mine, theirs = raced["models"][-1], whole["models"][-1]
    for key in ("selection", "trial", "coefficients", "dev", "test", "delta", "evaluations"):
        assert mine[key] == theirs[key]
    assert read(studies[True], "test_predictions.json") == read(studies[False], "test_predictions.json")


def test_pruning_is_recorded_in_results_and_journal(studies):
    raced, whole = (read(studies[race], "results.json") for race in (True, False))
    mine, theirs = raced["models"][-1], whole["models"][-1]
    stopped = [line for line in lines(studies[True], "trials.jsonl") if line["score"] is None]
    assert mine["stopped_evaluations"] == len(stopped) > 0 == theirs["stopped_evaluations"]
    assert theirs["dev_answers"] == BUDGET * whole["n"]["dev"]
    answers = [line["predictions"] for line in lines(studies[True], "predictions.jsonl")]
    assert mine["dev_answers"] == sum(answer is not None for each in answers for answer in each) < theirs["dev_answers"]


def test_pruning_keeps_scores_and_bounds_lie_above(studies):
    for file in ("trials.jsonl", "predictions.jsonl"):
        pairs = list(zip(lines(studies[True], file), lines(studies[False], file), strict=True))
        assert len(pairs) == BUDGET
        for raced, whole in pairs:
            if file == "predictions.jsonl":
                answers = zip(raced["predictions"], whole["predictions"], strict=True)
                assert all(mine in (None, theirs) for mine, theirs in answers)
            elif raced["score"] is None:
                assert raced["bound"] >= whole["score"]
                assert raced["coefficients"] == whole["coefficients"]
            else:
                assert raced["score"] == whole["score"]
