"""Targets with a teacher's probabilities: drawn as often as these say, so that a student reaches them."""

from collections import Counter
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from transformers import AutoModelForSeq2SeqLM

from dfwe.families.seq2seq.family import collate
from dfwe.families.text.datamodule import drawn_target, text_data
from dfwe.families.text.tokenization import TokenLimits, tokens_in_memory, tokens_key
from dfwe.records import Instance

LIMITS = TokenLimits(64, 8)
TEACHER = (0.7, 0.25, 0.05)
LABELS = ("joy", "anger", "fear")
QUESTION = Instance("i", "d", "context: glad", " emotion:", LABELS, (), LABELS)
SOFT = replace(QUESTION, target_weights=TEACHER)


def soft_data(tokenizer, *, copies, seed=5):
    split = tokens_in_memory([SOFT] * copies, tokenizer=tokenizer, limits=LIMITS)
    return text_data([split], batch_size=copies, group_batches=4, collate=partial(collate, pad_id=0), seed=seed)


def test_each_target_is_drawn_as_often_as_its_weight():
    draws = (np.arange(1000) + 0.5) / 1000
    counts = Counter(drawn_target(SOFT, draw, num=3) for draw in draws)
    assert [counts[place] / 1000 for place in range(3)] == pytest.approx(TEACHER, abs=0.001)


@pytest.mark.parametrize("weights", [(0.0, 1.0, 0.0), (0.1, 0.9, 0.0), (1 / 3, 1 / 3, 1 / 3)])
def test_a_target_without_weight_is_never_drawn(weights):
    drawn = {drawn_target(replace(SOFT, target_weights=weights), draw, num=3) for draw in (0.0, 0.5, 1 - 2**-53)}
    assert all(weights[place] > 0 for place in drawn)


def test_targets_without_weights_are_all_alike():
    assert [drawn_target(QUESTION, draw, num=3) for draw in (0.0, 0.34, 0.99)] == [0, 1, 2]


def test_each_epoch_draws_anew_and_a_seed_draws_the_same(tokenizer):
    first, same, other = (soft_data(tokenizer, copies=20, seed=seed) for seed in (5, 5, 6))

    def labels(data, epoch):
        (step,) = data.plan(epoch)
        return step.draws.tolist()

    assert labels(first, 1) == labels(same, 1)
    assert labels(first, 1) != labels(first, 2)
    assert labels(first, 1) != labels(other, 1)


def test_a_student_reaches_the_teachers_distribution(tiny_t5, tokenizer):
    torch.manual_seed(0)
    model, data = AutoModelForSeq2SeqLM.from_pretrained(tiny_t5), soft_data(tokenizer, copies=64)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for epoch in range(300):
        data.trainer = type("At", (), {"current_epoch": epoch, "global_rank": 0, "world_size": 1})()
        for batch in data.train_dataloader():
            inputs = {name: value for name, value in batch.items() if name != "loss_weight"}
            loss = model(**inputs).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    split = tokens_in_memory([QUESTION], tokenizer=tokenizer, limits=LIMITS)
    source, answers = split.tokens["source"][0], split.tokens["candidates"][0]
    assert _likelihoods(model, source, answers) == pytest.approx(TEACHER, abs=0.06)


def test_weights_are_not_in_what_names_tokens(tokenizer):
    keys = {tokens_key([each], tokenizer=tokenizer, limits=LIMITS) for each in (QUESTION, SOFT)}
    assert len(keys) == 1


def _likelihoods(model, source, answers):
    batch = collate([source] * len(answers), answers, pad_id=0)
    with torch.no_grad():
        log_p = model(**batch).logits.log_softmax(-1)
    labels = batch["labels"]
    chosen = log_p.gather(-1, labels.clamp(min=0)[..., None])[..., 0] * (labels != -100)
    return chosen.sum(1).exp().tolist()
