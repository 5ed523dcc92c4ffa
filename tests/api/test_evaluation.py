"""Scores of models in memory on labelled texts."""

import copy

import pytest
import torch
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    GPT2Config,
    GPT2ForSequenceClassification,
    LlamaForCausalLM,
    RobertaConfig,
    RobertaForSequenceClassification,
    XLNetConfig,
    XLNetForSequenceClassification,
)

from dfwe.api import ModelAsking, evaluate
from dfwe.errors import ConfigurationError, DataError, ModelError
from dfwe.families.causal_lm.weights import FreshLlama
from dfwe.metrics.classification import F1

TEXTS = ["the broth is mild", "a merry tale", "is the kettle warm?", "merry and mild"]
LABELS = ["mild", "merry", "warm"]
GOLD = ["mild", "merry", "warm", "merry"]


@pytest.fixture
def classifier(tiny_bert):
    """A tiny BERT with three labels, and its tokenizer."""
    torch.manual_seed(0)
    config = BertConfig.from_pretrained(tiny_bert, num_labels=3, id2label=dict(enumerate(LABELS)))
    return BertForSequenceClassification(config).eval(), AutoTokenizer.from_pretrained(tiny_bert)


@pytest.fixture(scope="module")
def decoder(tmp_path_factory):
    """A tiny Llama and its tokenizer."""
    folder = tmp_path_factory.mktemp("decoder")
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1}
    FreshLlama(300, {**shape, "intermediate_size": 32}).build(folder, seed=0, texts=TEXTS)
    return LlamaForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("texts", [TEXTS, [(text, "merry and mild") for text in TEXTS]])
def test_a_classifiers_answers_are_those_of_plain_transformers(classifier, texts):
    model, tokenizer = classifier
    scored = evaluate(model, tokenizer, texts, GOLD)
    assert repr(scored).startswith(f"TextEvaluation(score={scored.score}, metrics=")
    assert "array" not in repr(scored)
    with torch.no_grad():
        logits = [
            model(**tokenizer(*([text] if isinstance(text, str) else text), return_tensors="pt")).logits
            for text in texts
        ]
    expected = [LABELS[int(each.argmax())] for each in logits]
    assert list(scored.predictions) == expected
    assert scored.score == sum(a == b for a, b in zip(expected, GOLD, strict=True)) / 4
    assert scored.label_scores == pytest.approx(torch.cat(logits).log_softmax(-1).numpy(), abs=1e-5)
    low, high = scored.interval
    assert low <= scored.score <= high


def test_an_encoder_decoder_chooses_and_writes(model, tokenizer):
    scored = evaluate(model, tokenizer, TEXTS, GOLD, labels=LABELS)
    losses = []
    for text in TEXTS:
        inputs = tokenizer(text, return_tensors="pt")
        targets = [tokenizer(text_target=label, return_tensors="pt").input_ids for label in LABELS]
        with torch.no_grad():
            losses.append([float(model(**inputs, labels=ids).loss) * ids.shape[1] for ids in targets])
    assert -scored.label_scores == pytest.approx(torch.tensor(losses).numpy(), abs=1e-4)
    written = evaluate(model, tokenizer, TEXTS, GOLD, asking=ModelAsking(max_new_tokens=4))
    inputs = tokenizer(TEXTS, return_tensors="pt", padding=True)
    ids = model.generate(**inputs, max_new_tokens=4, do_sample=False, num_beams=1)
    assert list(written.predictions) == tokenizer.batch_decode(ids, skip_special_tokens=True)
    assert list(written.metrics) == ["exact_match"]


def test_written_texts_end_at_the_tokenizers_end_too(decoder):
    (model, tokenizer), steps = copy.deepcopy(decoder), []

    def end(module, arguments, logits):
        steps.append(logits)
        return logits.index_fill(-1, torch.tensor([tokenizer.eos_token_id]), 1e3)

    model.lm_head.register_forward_hook(end)
    for ends in (None, tokenizer.unk_token_id, [tokenizer.eos_token_id]):
        model.generation_config.eos_token_id = ends
        evaluate(model, tokenizer, TEXTS[:1], GOLD[:1])
        assert model.generation_config.eos_token_id == ends
    assert len(steps) == 3


def test_texts_are_cut_to_the_positions_that_a_roberta_has(tiny_bert):
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    tokenizer.model_max_length = 10**30  # as of a folder that does not say
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    shape |= {"initializer_range": 1.0, "max_position_embeddings": 18}  # a word less shows in the logits
    config = RobertaConfig(vocab_size=len(tokenizer), id2label={0: "mild", 1: "merry"}, **shape)
    torch.manual_seed(0)
    model = RobertaForSequenceClassification(config).eval()
    scored = evaluate(model, tokenizer, texts=["mild broth " * 20], answers=["mild"], labels=["mild", "merry"])
    cut = tokenizer("mild broth " * 20, truncation=True, max_length=16, return_tensors="pt")  # positions begin at 2
    with torch.no_grad():
        logits = model(**cut).logits
    assert scored.label_scores == pytest.approx(logits.log_softmax(-1).numpy(), abs=1e-6)


def test_a_decoder_chooses_the_most_likely_label(decoder):
    model, tokenizer = decoder
    scored = evaluate(model, tokenizer, TEXTS, GOLD, labels=LABELS, metrics={"f1": F1(LABELS, average="macro")})
    prompt = tokenizer(TEXTS[0]).input_ids
    for label, score in zip(LABELS, scored.label_scores[0], strict=True):
        answer = [*tokenizer(f": {label}", add_special_tokens=False).input_ids, tokenizer.eos_token_id]
        answer = answer[len(tokenizer(":", add_special_tokens=False).input_ids) :]
        with torch.no_grad():
            logits = model(torch.tensor([[*prompt, *answer]])).logits[0].log_softmax(-1)
        places = range(len(prompt) - 1, len(prompt) + len(answer) - 1)
        expected = sum(float(logits[place, token]) for place, token in zip(places, answer, strict=True))
        assert score == pytest.approx(expected, abs=1e-4)
    assert list(scored.metrics) == ["f1"]


@pytest.mark.parametrize("labels", [LABELS, None])
def test_a_decoder_needs_no_pad_token(decoder, labels):
    model, tokenizer = decoder[0], copy.deepcopy(decoder[1])
    expected = evaluate(*decoder, TEXTS, GOLD, labels=labels, asking=ModelAsking(max_new_tokens=4))
    tokenizer.pad_token = None
    scored = evaluate(model, tokenizer, TEXTS, GOLD, labels=labels, asking=ModelAsking(max_new_tokens=4))
    assert scored.predictions == expected.predictions
    tokenizer.eos_token = None
    with pytest.raises(ModelError, match="LlamaForCausalLM: the tokenizer has no pad token"):
        evaluate(model, tokenizer, TEXTS, GOLD)


def test_a_decoder_that_classifies_gets_the_tokenizers_padding(decoder):
    shape = {"vocab_size": 300, "n_embd": 16, "n_layer": 1, "n_head": 2, "id2label": dict(enumerate(LABELS))}
    network = GPT2ForSequenceClassification(GPT2Config(**shape)).eval()
    together = evaluate(network, decoder[1], TEXTS, GOLD)
    assert network.config.pad_token_id == decoder[1].pad_token_id
    alone = [evaluate(network, decoder[1], [text], GOLD[:1]).predictions[0] for text in TEXTS]
    assert list(together.predictions) == alone


def test_mistakes_are_named(classifier, decoder, tiny_bert):
    model, tokenizer = classifier
    with pytest.raises(DataError, match="'cold' is none of the labels mild, merry, warm"):
        evaluate(model, tokenizer, TEXTS, ["cold"] * 4)
    with pytest.raises(DataError, match="4 texts have 1"):
        evaluate(model, tokenizer, TEXTS, ["mild"])
    with pytest.raises(DataError, match="0 texts"):
        evaluate(model, tokenizer, [], [])
    with pytest.raises(ConfigurationError, match="BertModel neither chooses among labels nor writes"):
        evaluate(BertModel.from_pretrained(tiny_bert), tokenizer, TEXTS, GOLD)
    with pytest.raises(ConfigurationError, match="pairs of texts are for classifiers"):
        evaluate(*decoder, [(text, text) for text in TEXTS], GOLD)


def test_gold_numbers_are_labels(classifier, tiny_bert):
    config = BertConfig.from_pretrained(tiny_bert, num_labels=2, id2label={0: "0", 1: "1"})
    network = BertForSequenceClassification(config).eval()
    assert evaluate(network, classifier[1], TEXTS, [0, 1, 1, 0]).score in (0.0, 0.25, 0.5, 0.75, 1.0)


def test_what_cannot_be_scored_is_refused(classifier, tiny_bert):
    number = BertForSequenceClassification(BertConfig.from_pretrained(tiny_bert, num_labels=1))
    with pytest.raises(ModelError, match="gives a number, not labels"):
        evaluate(number, classifier[1], TEXTS, [0.5, 1.0, 2.0, 0.0])
    shape = {"vocab_size": 300, "d_model": 16, "n_layer": 1, "n_head": 2, "d_inner": 16, "num_labels": 3}
    network = XLNetForSequenceClassification(XLNetConfig(**shape, id2label=dict(enumerate(LABELS))))
    with pytest.raises(ModelError, match="reads padding"):
        evaluate(network, classifier[1], TEXTS, GOLD)


def test_an_empty_prompt_is_named(decoder):
    with pytest.raises(DataError, match="text 1 has no tokens"):
        evaluate(*decoder, ["a merry tale", ""], ["mild", "mild"])
