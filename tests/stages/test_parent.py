"""The seq2seq MiniLM before experts branch: warmed up where outside tasks have files, else as it was."""

import logging

import pytest

from dfwe.config.consistency import check_pretraining, complete
from dfwe.errors import ConfigurationError
from dfwe.families.encoder.weights import PretrainedEncoder
from dfwe.stages.parent import PretrainedParent, SourceParent
from dfwe.studies.plan import load_plan

MINILM = ("+target=meld", "sources=[emory_emotion]", "model=minilm", "trainer.threads=1")
PAIR = '{"gold_label": "neutral", "sentence1": "A man eats.", "sentence2": "It is hot."}\n'


def tables(split):
    """Twelve rows of each task's file of a split, by its path."""
    numbers = range(12)
    header = ("", "id", "sentence1", "sentence2")
    rows = {
        "quora": [
            (*header, "is_duplicate"),
            *((n, f"q{split}{n}", "What is tea?", "Tea?", f"{n % 2}.0") for n in numbers),
        ],
        "sst": [
            ("", "id", "sentence", "sentiment"),
            *((n, f"s{split}{n}", "The film is fine.", n % 5) for n in numbers),
        ],
        "sts": [(*header, "similarity"), *((n, f"t{split}{n}", "The cat sat.", "A cat sat.", n % 5) for n in numbers)],
    }
    return {f"{task}/{split}.csv": "".join("\t".join(map(str, row)) + "\n" for row in of) for task, of in rows.items()}


@pytest.fixture
def files(tmp_path):
    """A folder with a few rows of each of the warm-up's files."""
    snli = "1\t1\tA man eats.\tA man eats soup.\n3\t3\tA dog runs on.\tAn animal moves.\n"
    texts = {"snli/train.csv": snli, "snli/snli_1.0_dev.jsonl": PAIR, "snli/snli_1.0_test.jsonl": PAIR}
    for name, text in (texts | tables("train") | tables("dev")).items():
        path = tmp_path / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "files"


def stages(composed, store, *more):
    return load_plan(composed(*MINILM, *more, f"paths.store={store}"), reads_data=False).pretraining


def test_a_parent_from_the_hub_records_its_commit(tmp_path, monkeypatch):
    repository, commit = tmp_path / "models--lab--tiny", "c" * 40
    for folder, file, text in ((f"snapshots/{commit}", "config.json", "{}"), ("refs", "main", commit)):
        (repository / folder).mkdir(parents=True)
        (repository / folder / file).write_text(text)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(PretrainedEncoder, "build", lambda self, folder, **settings: folder.mkdir())
    parent = SourceParent("tiny", PretrainedEncoder("lab/tiny"), 0, lambda: (), dict)
    assert parent.make(tmp_path, tell=lambda share: None)[0] == {"name": "tiny", "commit": commit}


def test_minilm_without_files_is_the_parent_as_it_was(composed, tmp_path):
    (with_tasks,), (without,) = (stages(composed, tmp_path, *more) for more in ((), ("model.pretrain=null",)))
    assert isinstance(with_tasks, SourceParent)
    assert with_tasks.digest == without.digest


def test_minilm_with_files_learns_tasks_and_spans(composed, tmp_path, files):
    _, training, parent = stages(
        composed, tmp_path / "store", f"model.pretrain.data.files={files}", "model.pretrain.data.shots=2"
    )
    assert isinstance(parent, PretrainedParent)
    names = {f"{task}{form}" for form in ("", "_spans") for task in ("snli", "quora", "sst", "sts")}
    assert {task.short for task in training.recipe.tasks} == names
    assert training.spec()["fit"]["fresh_first"]["epochs"] < training.spec()["fit"]["epochs"]
    data = training.family.context.data
    instances = {task.short: data.instances(task, split="train") for task in training.recipe.tasks}
    assert {len(rows) for rows in instances.values()} == {2}
    assert all("[MASK]" in row.context for row in instances["sts_spans"])
    assert all("[MASK]" not in row.context for row in instances["sts"])


def test_a_toy_is_pretrained_on_all_that_is_generated(composed, tmp_path):
    config = composed("+target=meld", "sources=[emory_emotion]", "model=t5_toy", f"paths.store={tmp_path}")
    _, training, _ = load_plan(config, reads_data=False).pretraining
    assert {task["data"]["shots"] for task in training.spec()["tasks"]} == {"all"}
    assert "fresh_first" not in training.spec()["fit"]


def test_minilm_without_files_is_warned_of(composed, caplog):
    with caplog.at_level(logging.WARNING):
        check_pretraining(complete(composed(*MINILM)))
        check_pretraining(complete(composed(*MINILM, "model.pretrain=null")))
    assert [record.message for record in caplog.records if "model.pretrain.data.files is not set" in record.message]
    assert len(caplog.records) == 1


def test_a_warm_up_on_the_targets_own_answers_is_refused(composed):
    options = ("data=files", "data.files=here", "model=minilm", "model.pretrain.data.files=here")
    message = "has 'sst', a target of the study.*set ~model.pretrain.tasks.sst ~model.pretrain.tasks.sst_spans, or"
    with pytest.raises(ConfigurationError, match=message):
        check_pretraining(complete(composed("+target=sst", "sources=[sts]", *options)))
