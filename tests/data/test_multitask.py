"""The four tasks of sentences and pairs, on their real files where these are there."""

from pathlib import Path

import pytest

from dfwe.config.tasks import load_task, own_corpus
from dfwe.data.examples import collect_instances
from dfwe.data.few_shot import ALL
from dfwe.data.prompts.template import Sentences

FILES = Path(__file__).resolve().parents[3] / "shared" / "data" / "multitask"
SIZES = {
    "sst": (7690, 854, 1101),
    "sts": (5436, 604, 863),
    "quora": (4500, 500, 20212),
    "snli": (18000, 1273, 1254),
}
pytestmark = pytest.mark.skipif(not FILES.is_dir(), reason="needs the data in ../shared/data/multitask")


@pytest.mark.parametrize("short", SIZES)
def test_every_row_becomes_an_instance_with_best_gold_score(short):
    task = load_task(short)
    corpus = own_corpus(task, files=str(FILES), max_invalid_fraction=0.01)
    for split, size in zip(("train", "dev", "test"), SIZES[short], strict=True):
        instances = collect_instances(corpus, prompt=task.prompt, split=split, max_words=0, seed=0, shots=ALL)
        assert len(instances) == size
        evaluation = task.scorer.evaluate(
            [one.targets[0] for one in instances], references=[one.references for one in instances]
        )
        assert evaluation.score > 0.998  # sts answers in steps of 0.2


@pytest.mark.parametrize("short", SIZES)
def test_every_row_is_sentences_for_its_head_too(short):
    task = load_task(short)
    corpus = own_corpus(task, files=str(FILES), max_invalid_fraction=0.01)
    prompt = Sentences(task=task.name, columns=task.head["columns"], answer=task.prompt.answer)
    for split, size in zip(("train", "dev", "test"), SIZES[short], strict=True):
        instances = collect_instances(corpus, prompt=prompt, split=split, max_words=0, seed=0, shots=ALL)
        assert [len(one.sentences) for one in instances] == [1 if short == "sst" else 2] * size
        assert all(one.references[0] in task.labels for one in instances) or short == "sts"


def test_quora_invalid_and_snli_excluded_rows_are_counted():
    quora = own_corpus(load_task("quora"), files=str(FILES), max_invalid_fraction=0.01)
    assert [bad.line for bad in quora.row_reports[str(FILES / "quora" / "dev.csv")].invalid] == [2577, 14222]
    snli = own_corpus(load_task("snli"), files=str(FILES), max_invalid_fraction=0.01)
    assert snli.num_excluded == {"label is '-'": 39}
    assert all(not rows.invalid for rows in snli.row_reports.values())
