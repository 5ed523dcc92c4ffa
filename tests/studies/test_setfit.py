"""The row of SetFit in a study: its texts, who can have it, its costs."""

import json
import logging
import re

import pytest
from sklearn.linear_model import LogisticRegression

from dfwe.errors import ConfigurationError
from dfwe.report.names import display_name
from dfwe.run_study import run_study
from dfwe.studies.baselines import setfit
from dfwe.studies.plan import plan_study
from dfwe.training.setfit import num_steps

TINY = (
    "model=bert_toy_classifier", "model.pretrain=null", "model.source.vocab_size=300", "report=false",
    "model.source.config={hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 32, "
    "max_position_embeddings: 128}",
    "trainer.train.epochs=1", "trainer.finetune.epochs=1", "merge.search.budget=2", "trainer.threads=1",
    "diagnostics=[]", "export=false", "baselines=[setfit]",
)  # fmt: skip
PAIRS = "{train: 24, dev: 12, test: 12}"
SENTENCES = (
    "data=toy_multitask",
    "sources=[toy_topic]",
    *(f"data.generator.rows.{task}={PAIRS}" for task in ("sentiment", "paraphrase", "similarity", "topic")),
)
MELD = ("+target=meld", "sources=[emory_emotion]", "data.generator.num_train=12", "data.generator.num_dev=8",
        "data.generator.num_test=8")  # fmt: skip


@pytest.fixture
def installed(monkeypatch):
    """Plan as if the package were there; nothing is trained."""
    monkeypatch.setattr(setfit, "find_spec", lambda name: name)


@pytest.fixture(scope="module")
def made(composed, tmp_path_factory):
    """The results of a study with the row, and its configuration."""
    pytest.importorskip("setfit", reason="needs the extra setfit")
    folder = tmp_path_factory.mktemp("run")
    settings = "+baseline_settings={setfit: {learning_rate: 1e-3}}"
    config = composed("+target=toy_sentiment", *SENTENCES, *TINY, settings, f"paths.store={folder}/store")
    run_study(config, folder=folder)
    return json.loads((folder / "results.json").read_text()), config


def test_the_row_has_scores_differences_and_costs(made):
    row = next(row for row in made[0]["models"] if row["name"] == "setfit")
    assert row["kind"] == "baseline"
    assert {"dev", "test", "delta", "p"} <= set(row)
    study = plan_study(made[1])
    labels = [int(label) for label in study.family.encode(study.target, split="train").gold]
    steps = row["cost"]["train_steps"]
    assert steps == num_steps(labels, settings=study.baselines["setfit"].settings)
    assert row["cost"]["train_tokens"] > 2 * 16 * (steps - 1)
    assert row["cost"]["dev_answers"] == 12
    assert row["cost"]["seconds"] > 0


def test_the_row_is_not_recommended_for_it_leaves_no_weights(made):
    assert made[0]["recommended"]["chosen_among"] == len(made[0]["models"]) - 1
    assert display_name("setfit", kind="baseline") == "SetFit"


def test_answers_are_those_of_the_package_by_hand(made):
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize
    from setfit import SetFitModel, Trainer, TrainingArguments

    study = plan_study(made[1])
    stage, family = study.baselines["setfit"], study.family
    train, test = (family.instances(study.target, split=split) for split in ("train", "test"))
    body = SentenceTransformer(str(family.base_model.model_folder(family.context.store)), device="cpu")
    body.append(Normalize())
    body.max_seq_length = 128
    model = SetFitModel(body, LogisticRegression())
    texts, labels = [i.sentences[0] for i in train], [i.candidates.index(i.references[0]) for i in train]
    arguments = TrainingArguments(
        body_learning_rate=1e-3, seed=stage.training_seed, report_to="none", save_strategy="no"
    )
    Trainer(model=model, args=arguments, train_dataset=Dataset.from_dict({"text": texts, "label": labels})).train()
    expected = model.predict([i.sentences[0] for i in test], as_numpy=True)
    evaluation = stage.evaluation(stage.result(family.context.store))
    assert list(evaluation.predictions) == [study.target.labels[label] for label in expected]


def test_a_second_run_trains_nothing(made, tmp_path, monkeypatch):
    def refuse(*arguments, **names):
        raise AssertionError("it was trained again")

    monkeypatch.setattr(setfit.SetFitStage, "make", refuse)
    run_study(made[1], folder=tmp_path)
    assert json.loads((tmp_path / "results.json").read_text())["models"] == made[0]["models"]


def test_settings_and_seed_are_in_the_digest(composed, tmp_path, installed):
    changes = ((), ("+baseline_settings={setfit: {max_pairs: 99}}",), ("seed=1",))
    digests = {
        plan_study(composed("+target=toy_sentiment", *SENTENCES, *TINY, f"paths.store={tmp_path}", *change))
        .baselines["setfit"]
        .digest
        for change in changes
    }
    assert len(digests) == 3


def test_a_pair_is_one_text_with_the_separator(composed, tmp_path, installed):
    study = plan_study(composed("+target=toy_paraphrase", *SENTENCES, *TINY, f"paths.store={tmp_path}"))
    texts = study.baselines["setfit"].texts("train")
    encoded, tokenizer = study.family.encode(study.target, split="train"), study.family.tokenizer
    first, second = encoded.instances[0].sentences
    assert texts[0] == f"{first}[SEP]{second}"
    assert tokenizer(texts)["input_ids"] == [ids for (ids,) in encoded.tokens]


@pytest.mark.parametrize("target", [MELD, ("+target=toy_paraphrase", *SENTENCES)], ids=["context", "pair"])
def test_a_long_text_loses_its_first_words(composed, tmp_path, installed, target):
    cut = ("model.max_source_tokens=40", "data.max_truncated_fraction=1.0", f"paths.store={tmp_path}")
    study = plan_study(composed(*target, *TINY, *cut))
    texts, instances = study.baselines["setfit"].texts("train"), study.family.instances(study.target, split="train")
    lengths = [len(ids) for ids in study.family.tokenizer(texts)["input_ids"]]
    assert 30 < max(lengths) <= 40
    for text, instance in zip(texts, instances, strict=True):
        parts, whole = text.split("[SEP]"), instance.sentences or (instance.source,)
        assert all(part and words.endswith(part) for part, words in zip(parts, whole, strict=True))
        assert any(len(part) < len(words) for part, words in zip(parts, whole, strict=True))


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        ((*MELD, "model=t5_toy", "model.source.config={d_model: 16, num_heads: 2}"), "its base model is not an enc"),
        (("+target=toy_similarity", *SENTENCES), "its answers are numbers, and SetFit chooses among labels"),
        (("+target=toy_sentiment", *SENTENCES, "data.shots={toy_sentiment: 1}"), "all examples .* have one label"),
    ],
    ids=["text", "numbers", "one label"],
)
def test_who_cannot_have_it_is_told_why(composed, tmp_path, caplog, overrides, reason):
    settings = [each for each in TINY if not each.startswith("model") or "model=t5_toy" not in overrides]
    with caplog.at_level(logging.INFO):
        study = plan_study(composed(*overrides, *settings, f"paths.store={tmp_path}"))
    assert not study.baselines
    assert caplog.text.count("no baseline setfit for") == 1
    assert re.search(reason, caplog.text)


def test_a_missing_package_is_one_line_before_training(composed, tmp_path, monkeypatch):
    monkeypatch.setattr(setfit, "find_spec", lambda name: None)
    config = composed("+target=toy_sentiment", *SENTENCES, *TINY, f"paths.store={tmp_path}")
    with pytest.raises(ConfigurationError, match=r"'setfit' .* is not installed: run `pip install 'dfwe\[setfit\]'`"):
        plan_study(config)
    assert not list(tmp_path.glob("train-*"))
