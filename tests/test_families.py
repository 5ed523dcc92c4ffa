"""The whole method on every family, and what a family cannot do is an error before any training."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    pipeline,
)

from dfwe.errors import ConfigurationError, SearchError
from dfwe.predict import load
from dfwe.predict.inputs import instances_of, items
from dfwe.run_study import run_study
from dfwe.store.card import Card
from dfwe.studies.plan import load_plan, plan_study

SHORT = (
    "model.pretrain=null",
    "model.source.vocab_size=300",
    "model.source.config={hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 32, "
    "max_position_embeddings: 128}",
    "trainer.train.epochs=1",
    "trainer.finetune.epochs=1",
    "trainer.checkpoint=false",
    "trainer.threads=1",
    "merge.search.budget=3",
    "merge/holdout=split",
    "diagnostics=[leave_one_out,interpolation]",
    "report=false",
)
ROWS = "{train: 24, dev: 12, test: 12}"
MULTI_HEAD = (
    "+target=toy_sentiment",
    "sources=[toy_paraphrase]",
    "data=toy_multitask",
    "model=bert_toy",
    "model.max_source_tokens=128",
    *(f"data.generator.rows.{task}={ROWS}" for task in ("sentiment", "paraphrase", "similarity", "inference")),
)
CLASSIFIER = ("+target=meld", "sources=[emory_emotion]", "model=bert_toy_classifier")
CAUSAL_LM = ("+target=meld", "sources=[emory_emotion]", "model=llama_toy")
LLAMA = (
    "model.source.config={hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, num_key_value_heads: 1, "
    "intermediate_size: 32, max_position_embeddings: 256}"
)
BASELINES = ["random", "multitask", "ensemble"]


@pytest.fixture(scope="module")
def classifier(composed, tmp_path_factory, small_overrides):
    """The folder of a small study of classifiers that has run."""
    folder = tmp_path_factory.mktemp("classifier")
    data = [override for override in small_overrides if override.startswith("data.")]
    run_study(composed(*CLASSIFIER, *SHORT, *data, f"paths.store={folder}/store"), folder=folder)
    return folder


@pytest.fixture
def encoder(composed, tmp_path):
    """A function from overrides to a small study of models with heads."""
    return lambda *overrides: composed(*MULTI_HEAD, *SHORT, f"paths.store={tmp_path}/store", *overrides)


def results_of(folder):
    return json.loads((folder / "results.json").read_text())


def rows_of(folder):
    return {row["name"]: row for row in results_of(folder)["models"]}


def check_whole_method(folder, *, experts):
    """Check that every model has scores, and the merge what holdout and diagnostics found."""
    rows = rows_of(folder)
    assert list(rows) == ["baseline", *experts, *BASELINES, "uniform", "nelder_mead"]
    assert all(0 <= row["test"]["score"] <= 1 for row in rows.values())
    merge = rows["nelder_mead"]
    assert set(merge["coefficients"]) == set(experts)
    assert merge["is_expert"] or set(merge["leave_one_out"]) == set(experts)
    assert len(results_of(folder)["interpolations"]) == 3
    assert merge["holdout"]["score"] is not None


def test_classifier_study_has_whole_method(classifier):
    check_whole_method(classifier, experts=["meld", "mixture", "emory_emotion"])


def test_classifier_costs_include_its_heads(classifier):
    rows = rows_of(classifier)
    heads = {card.result["task"]: card for card in map(Card.read, (classifier / "store").glob("head-*"))}
    assert set(heads) == {"MELD_emotion_recognition", "emory_emotion_recognition"}
    weights = {name: card.files["head.safetensors"]["bytes"] for name, card in heads.items()}
    baseline = Card.read(classifier / "store" / rows["baseline"]["stage"])
    trained = sum(file["bytes"] for file in baseline.files.values())
    assert rows["baseline"]["cost"]["bytes"] == trained + weights["MELD_emotion_recognition"]
    head = heads["MELD_emotion_recognition"].result["seconds"]
    assert rows["baseline"]["cost"]["seconds"] == pytest.approx(baseline.result["seconds"] + head, abs=0.01)


@pytest.mark.parametrize(("precision", "approximates"), [("bf16-mixed", True), ("32-true", False)])
def test_classifier_answers_dev_in_bfloat16_where_it_trains_so(composed, tmp_path, precision, approximates):
    settings = (
        f"trainer.precision={precision}",
        "trainer.head_first=false",
    )  # probes of fresh encoders magnify rounding
    overrides = (*CLASSIFIER, *SHORT, f"paths.store={tmp_path}/store", *settings)
    plan = load_plan(composed(*overrides))
    family, task = plan.family, plan.target
    scorer, model = family.scorer(task, split="dev"), family.model((task,))
    assert scorer.approximates is approximates
    assert ("dev_copy" in family.spec()) is approximates
    rounded, exact = scorer(model), scorer(model, exact=True)
    assert np.array_equal(rounded.label_scores, exact.label_scores) is not approximates
    assert np.allclose(rounded.label_scores, exact.label_scores, atol=0.05)


@pytest.mark.parametrize("criterion", ["gradients", "fisher"])
def test_classifier_sources_are_selected_by_their_encoder(composed, tmp_path, small_overrides, criterion):
    data = [override for override in small_overrides if override.startswith("data.")]
    select = (f"source_selection={criterion}", "source_selection.number=1", "sources=[emory_emotion,personality]")
    config = composed(CLASSIFIER[0], CLASSIFIER[2], *select, *SHORT, *data, f"paths.store={tmp_path}/store")
    plan = load_plan(config)
    assert len(plan.resolve().sources) == 1
    criteria, inputs = plan.spec.source_selection.criteria[criterion], plan.source_selection.inputs[criterion]
    files = [stage.find(plan.family.context.store).file("statistics_0.safetensors") for _, stage in inputs.parts()]
    encoders = [{name: t for name, t in load_file(file).items() if name.startswith("encoder.")} for file in files]
    vectors = [torch.cat([tensors[name].flatten() for name in encoders[0]]).double() for tensors in encoders]
    if criterion == "gradients":
        expected = [float(torch.cosine_similarity(vectors[0], other, dim=0)) for other in vectors[1:]]
        assert list(criteria.scores(inputs, store=plan.family.context.store).values()) == pytest.approx(expected)


def test_classifier_folder_is_a_text_classification_pipeline(classifier):
    folder, texts = classifier / "merged", ["Monica Vale: I feel glad.", "Ross Dahl: That makes me furious."]
    network, predictor = AutoModelForSequenceClassification.from_pretrained(folder), load(folder)
    assert tuple(network.config.id2label.values()) == predictor.labels
    ours = predictor.probabilities(texts)
    instances = instances_of(items(texts), prompt=replace(predictor._task.prompt, unlabelled=True), max_words=100)
    sources = [instance.source for instance in instances]
    theirs = pipeline("text-classification", model=str(folder), top_k=None)(sources)
    for probabilities, scores in zip(ours, theirs, strict=True):
        assert probabilities == pytest.approx({item["label"]: item["score"] for item in scores}, abs=1e-5)


def test_multi_head_study_has_whole_method_and_is_exported(encoder, tmp_path):
    run_study(encoder(), folder=tmp_path)
    check_whole_method(tmp_path, experts=["toy_sentiment", "mixture", "toy_paraphrase"])
    assert AutoModel.from_pretrained(tmp_path / "merged").config.hidden_size == 16
    heads = load_file(tmp_path / "merged" / "heads.safetensors")
    assert {name.split(".")[0] for name in heads} == {"toy_sentiment", "toy_paraphrase"}


def test_linear_heads_are_trained_first_and_shared(encoder, tmp_path):
    options = ("trainer.head_first=true", "baselines=[linear_probe]")
    topic = "data.generator.rows.topic={train: 24, dev: 12, test: 12}"
    config = encoder(*options, topic, "diagnostics=[]", "sources=[toy_topic]")
    run_study(config, folder=tmp_path)
    study = plan_study(config)
    family, store = study.family, study.family.context.store
    heads = {head.title: head.result(store).card.result for stage in study.trained.values() for head in stage.heads}
    assert set(heads) == {"head of toy_sentiment", "head of toy_topic"}
    model, fresh = family.model((study.target,)), family.fresh_model(())
    differ = {name for name, p in model.named_parameters() if not torch.equal(p, fresh.get_parameter(name))}
    layers = [f"heads.{task}.network.output" for task in ("toy_sentiment", "toy_topic")]
    assert differ == {f"{layer}.{part}" for layer in layers for part in ("weight", "bias")}
    assert rows_of(tmp_path)["linear_probe"]["dev"]["score"] == heads["head of toy_sentiment"]["dev"]["score"]


def test_expert_depends_on_heads_of_other_tasks(encoder):
    options = ("trainer.head_first=true", "sources=[toy_topic]", "trainer.train.stop_on=own")
    studies = [plan_study(encoder(*options, f"data.shots={{toy_sentiment: {shots}}}")) for shots in (6, 8)]
    assert len({study.trained["toy_topic"].digest for study in studies}) == 2


def test_causal_lm_study_has_whole_method_and_is_exported(composed, tmp_path, small_overrides):
    data = [override for override in small_overrides if override.startswith("data.")]
    store = f"paths.store={tmp_path}/store"
    run_study(composed(*CAUSAL_LM, *SHORT, LLAMA, *data, store), folder=tmp_path)
    check_whole_method(tmp_path, experts=["meld", "mixture", "emory_emotion"])
    network = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    tokenizer, predictor = AutoTokenizer.from_pretrained(tmp_path / "merged"), load(tmp_path / "merged")
    text = "Monica Vale: I feel glad."
    (instance,) = instances_of(items([text]), prompt=replace(predictor._task.prompt, unlabelled=True), max_words=100)
    prompt = tokenizer(instance.source, return_tensors="pt")["input_ids"]
    scores = []
    for label in predictor.labels:
        answer = torch.tensor([[*tokenizer(f" {label}")["input_ids"], tokenizer.eos_token_id]])
        ids = torch.cat([prompt, answer], dim=1)
        labels = torch.cat([torch.full_like(prompt, -100), answer], dim=1)
        scores.append(-network(input_ids=ids, labels=labels).loss * answer.shape[1])
    expected = dict(zip(predictor.labels, torch.stack(scores).softmax(0).tolist(), strict=True))
    assert predictor.probabilities([text])[0] == pytest.approx(expected, abs=1e-4)


def test_causal_lm_measures_statistics_and_writes_free_text(composed, tmp_path, small_overrides):
    data = [override for override in small_overrides if override.startswith("data.")]
    options = ("model=llama_toy", "+target=question_answering", "sources=[meld]", "merge=fisher", *SHORT, LLAMA, *data)
    run_study(composed(*options, "diagnostics=[]", f"paths.store={tmp_path}/store"), folder=tmp_path)
    rows = rows_of(tmp_path)
    assert np.isfinite([row["test"]["score"] for row in rows.values()]).all()


def test_causal_lm_refuses_what_cuts_answers_off(composed, tmp_path):
    config = composed(*CAUSAL_LM, "data.truncation=reference", f"paths.store={tmp_path}/store")
    with pytest.raises(ConfigurationError, match="a decoder's prompt loses its beginning"):
        plan_study(config)


def test_seq2seq_study_has_finite_rows(ran):
    rows = rows_of(ran[0])
    assert np.isfinite([row["test"]["score"] for row in rows.values()]).all()
    assert rows["nelder_mead"]["coefficients"].keys() == {"meld", "mixture", "emory_emotion", "personality"}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["decoding_comparison=[greedy]"], "models of the family multi_head answer in one way"),
        (["decode=greedy"], "heads answer in one way; set decode=task"),
        (["sources.toy_paraphrase.head=null"], "'toy_paraphrase' has no head.*another family"),
        (["trainer.head_first=true"], "the head of toy_paraphrase is more than the linear layer.*fresh_first="),
        (["trainer.accumulate=2"], "with heads cannot accumulate gradients; set trainer.accumulate=1"),
    ],
)
def test_multi_head_study_refuses_before_training(encoder, overrides, message):
    with pytest.raises(ConfigurationError, match=message):
        plan_study(encoder(*overrides))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["+target=question_answering", "sources=[meld]"], "whose answers are free text: choose .* family seq2seq"),
        (["+target=meld", "sources=[reading_comprehension]"], "are candidates that differ per question"),
        (["+target=meld", "decoding_comparison=[greedy]"], "models of the family classifier answer in one way"),
        (["+target=meld", "trainer.accumulate=2"], "models with heads cannot accumulate gradients"),
    ],
)
def test_classifier_study_refuses_before_training(composed, tmp_path, overrides, message):
    config = composed("model=bert_toy_classifier", f"paths.store={tmp_path}/store", *overrides)
    with pytest.raises(ConfigurationError, match=message):
        plan_study(config)


def test_classifier_study_of_all_sources_leaves_out_free_text(composed, tmp_path, caplog):
    config = composed("+target=meld", "sources=all", "model=bert_toy_classifier", f"paths.store={tmp_path}/store")
    plan_study(config)
    assert "cannot answer them: question_answering, reading_comprehension" in caplog.text


def test_seq2seq_study_without_target_tokens_is_an_error(small, tmp_path):
    with pytest.raises(ConfigurationError, match=r"model\.max_target_tokens=0"):
        plan_study(small(tmp_path, "model.max_target_tokens=0"))


def test_greedy_soup_of_another_search_is_refused_before_training(small, tmp_path):
    with pytest.raises(SearchError, match="greedy_soup keeps the result of a greedy soup: set merge/search=greedy"):
        plan_study(small(tmp_path, "merge/selection=greedy_soup"))
