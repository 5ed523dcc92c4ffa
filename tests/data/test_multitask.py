"""The four tasks of sentences and pairs, on their real files where these are there."""

from pathlib import Path

import pytest

from dfwe.config.tasks import load_task, own_corpus
from dfwe.data.instances import collect
from dfwe.data.prompts.sentences import Sentences
from dfwe.data.shots import ALL

FILES = Path(__file__).resolve().parents[3] / "shared" / "data" / "multitask"
SIZES = {
    "sst": (7690, 854, 1101),
    "sts": (5436, 604, 863),
    "quora": (4500, 500, 20212),
    "snli": (18000, 1273, 1254),
}
pytestmark = pytest.mark.skipif(not FILES.is_dir(), reason="needs the data in ../shared/data/multitask")


@pytest.mark.parametrize("short", SIZES)
def test_every_row_becomes_an_instance_whose_gold_answer_scores_best(short):
    task = load_task(short)
    corpus = own_corpus(task, files=str(FILES), max_bad_share=0.01)
    for split, size in zip(("train", "dev", "test"), SIZES[short], strict=True):
        instances = collect(corpus, prompt=task.prompt, split=split, max_words=0, seed=0, shots=ALL)
        assert len(instances) == size
        evaluation = task.scorer.evaluate(
            [one.targets[0] for one in instances], references=[one.references for one in instances]
        )
        assert evaluation.score > 0.998  # sts answers in steps of 0.2


@pytest.mark.parametrize("short", SIZES)
def test_every_row_is_sentences_for_its_head_too(short):
    task = load_task(short)
    corpus = own_corpus(task, files=str(FILES), max_bad_share=0.01)
    prompt = Sentences(task=task.name, columns=task.head["columns"], answer=task.prompt.answer)
    for split, size in zip(("train", "dev", "test"), SIZES[short], strict=True):
        instances = collect(corpus, prompt=prompt, split=split, max_words=0, seed=0, shots=ALL)
        assert [len(one.sentences) for one in instances] == [1 if short == "sst" else 2] * size
        assert all(one.references[0] in task.labels for one in instances) or short == "sts"


def test_the_bad_rows_of_quora_and_the_undecided_pairs_of_snli_are_counted():
    quora = own_corpus(load_task("quora"), files=str(FILES), max_bad_share=0.01)
    assert [bad.line for bad in quora.rows[str(FILES / "quora" / "dev.csv")].bad] == [2577, 14222]
    snli = own_corpus(load_task("snli"), files=str(FILES), max_bad_share=0.01)
    assert snli.left_out == {"label is '-'": 39}
    assert all(not rows.bad for rows in snli.rows.values())
