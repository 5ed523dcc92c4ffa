"""Perplexity of a text: log-likelihoods of passages, and studies that search by them."""

import json
import math

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

from dfwe.config.compose import compose_study
from dfwe.errors import ConfigurationError
from dfwe.families.causal_lm.likelihood import PassageReader, windows
from dfwe.families.causal_lm.weights import FreshLlama
from dfwe.families.scorer import SplitScorer
from dfwe.metrics.likelihood import TokenProbability
from dfwe.metrics.scorer import Scorer
from dfwe.records import Instance
from dfwe.run_study import run_study
from dfwe.studies.plan import load_plan

TEXT = "The kettle was warm, and nobody spoke.\n\nA merry tale began at last; the broth was mild and dull. " * 6
SHAPE = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1}


@pytest.fixture(scope="module")
def decoders(tmp_path_factory):
    """Three tiny Llamas near each other, as folders."""
    root = tmp_path_factory.mktemp("decoders")
    FreshLlama(300, {**SHAPE, "intermediate_size": 32, "initializer_range": 0.3}).build(
        root / "base", seed=0, texts=[TEXT]
    )
    folders = [root / "base"]
    for seed in (1, 2):
        model = LlamaForCausalLM.from_pretrained(root / "base")
        torch.manual_seed(seed)
        for parameter in model.parameters():
            parameter.data += 0.1 * torch.randn_like(parameter)
        folders.append(root / f"expert_{seed}")
        model.save_pretrained(folders[-1])
        AutoTokenizer.from_pretrained(root / "base").save_pretrained(folders[-1])
    return folders


def loss_of(folder, texts):
    """Mean loss per token of texts and its tokens, by Transformers alone."""
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    losses, numbers = [], []
    for text in texts:
        ids = tokenizer(text, return_tensors="pt")["input_ids"]
        if ids.shape[1] == 1:
            continue
        with torch.no_grad():
            losses.append(float(model(ids, labels=ids).loss))
        numbers.append(ids.shape[1] - 1)
    return sum(loss * number for loss, number in zip(losses, numbers, strict=True)) / sum(numbers)


def scorer_of(folder, texts, *, window=10_000, max_tokens=150):
    instances = [Instance(str(n), str(n), "", text, (text,), (text,)) for n, text in enumerate(texts)]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    reader = PassageReader(instances, tokenizer=tokenizer, window=window, max_tokens=max_tokens)
    return SplitScorer(reader, scorer=Scorer({"p": TokenProbability()}))


def test_perplexity_is_that_of_transformers_loss(decoders):
    texts = [TEXT[:90], TEXT[90:100], TEXT[100:400], "a"]
    model = AutoModelForCausalLM.from_pretrained(decoders[0])
    evaluation = scorer_of(decoders[0], texts)(model)
    assert -math.log(evaluation.score) == pytest.approx(loss_of(decoders[0], texts), abs=1e-5)
    assert evaluation.counts[3, 1] == len(AutoTokenizer.from_pretrained(decoders[0])("a")["input_ids"]) - 1


def test_long_passages_score_every_token_but_the_first_once(decoders):
    model, tokenizer = AutoModelForCausalLM.from_pretrained(decoders[0]), AutoTokenizer.from_pretrained(decoders[0])
    ids = tokenizer(TEXT)["input_ids"]
    evaluation = scorer_of(decoders[0], [TEXT], window=16)(model)
    parts = windows(ids, size=16)
    assert sum(len(part) - 1 for part in parts) == len(ids) - 1 == evaluation.counts[0, 1]
    total = 0.0
    for part in parts:
        tensor = torch.tensor([part])
        with torch.no_grad():
            total += float(model(tensor, labels=tensor).loss) * (len(part) - 1)
    assert -evaluation.counts[0, 0] == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize(
    ("ids", "expected"), [([1], [[1]]), ([1, 2, 3], [[1, 2, 3]]), ([1, 2, 3, 4], [[1, 2, 3], [3, 4]])]
)
def test_windows_share_one_token(ids, expected):
    assert windows(ids, size=3) == expected


def settings(folder, decoders, *more):
    (folder / "text.txt").write_text(TEXT)
    return [
        "+target=perplexity",
        "data=files",
        f"data.files={folder}",
        "target.perplexity.data.reader.words=12",
        f"+experts=[{','.join(map(str, decoders[1:]))}]",
        f"paths.store={folder}/store",
        "merge.search.budget=3",
        "report=false",
        "trainer.threads=1",
        *more,
    ]


def test_a_search_maximises_it_and_tells_intervals(decoders, tmp_path):
    run_study(
        compose_study(settings(tmp_path, decoders, f"base_model={decoders[0]}", "merge.selection=bagged")),
        folder=tmp_path / "run",
    )
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    rows = {row["name"]: row for row in results["models"]}
    words = TEXT.split(" ")
    corpus = load_plan(compose_study(settings(tmp_path, decoders))).family.context.data
    passages = [instance.source for instance in corpus.instances(_target(tmp_path, decoders), split="test")]
    assert len(words) > 60
    assert -math.log(rows["baseline"]["test"]["score"]) == pytest.approx(loss_of(decoders[0], passages), abs=1e-5)
    merged = loss_of(tmp_path / "run" / "merged", passages)
    assert -math.log(rows["nelder_mead"]["test"]["score"]) == pytest.approx(merged, abs=1e-4)
    low, high = rows["nelder_mead"]["test"]["interval"]
    assert 0 < low < rows["nelder_mead"]["test"]["score"] < high < 1
    assert rows["nelder_mead"]["dev"]["score"] >= rows["uniform"]["dev"]["score"] - 1e-9


def _target(folder, decoders):
    return load_plan(compose_study(settings(folder, decoders))).target


def test_nothing_is_trained_on_it(tmp_path):
    with pytest.raises(ConfigurationError, match=r"nothing can be trained on .* experts="):
        load_plan(compose_study(["+target=perplexity", "data=files", f"data.files={tmp_path}", "model=llama_toy"]))


def test_encoder_decoders_refuse_it(decoders, tmp_path):
    with pytest.raises(ConfigurationError, match="an encoder-decoder has no likelihood"):
        load_plan(compose_study(settings(tmp_path, decoders, "model=t5_toy")))
