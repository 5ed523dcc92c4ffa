"""Soft labels of models with heads: what a split learns, and that a student reaches its teacher."""

import numpy as np
import pytest
import torch
from torch import nn

from dfwe.families.encoder.data import SentenceSplit, sentence_batch
from dfwe.families.encoder.heads import LabelHead
from dfwe.records import Instance

TEACHER = (0.7, 0.25, 0.05)


def split(*weights, gold):
    instances = tuple(Instance("i", "d", "", "", (), (), ("a", "b", "c"), target_weights=each) for each in weights)
    tokens = tuple(([1, 2],) for _ in weights)
    return SentenceSplit("mood", instances, tokens, np.array(gold, dtype=np.float64), pad_id=0)


def test_labelled_examples_stay_as_they_are_beside_taught_ones():
    batch = sentence_batch(split((), TEACHER, gold=[2, np.nan]), [0, 1])
    assert batch["gold"].numpy() == pytest.approx(np.array([[0, 0, 1], TEACHER]))


def test_a_split_without_a_teacher_has_its_gold_numbers():
    batch = sentence_batch(split((), (), gold=[2, 0]), [1, 0])
    assert batch["gold"].tolist() == [0.0, 2.0]


def test_a_student_reaches_the_teachers_distribution():
    head = LabelHead(nn.Linear(2, 3), labels=("a", "b", "c"), num_sentences=1, pooling="cls")
    gold = sentence_batch(split(TEACHER, gold=[np.nan]), [0])["gold"]
    optimizer = torch.optim.Adam(head.parameters(), lr=0.1)
    for _ in range(300):
        loss = head.losses(head.network(torch.ones(1, 2)), gold).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    entropy = -sum(share * np.log(share) for share in TEACHER)
    assert head.label_scores(head.network(torch.ones(1, 2)))[0].exp().tolist() == pytest.approx(TEACHER, abs=1e-3)
    assert float(loss) == pytest.approx(entropy, abs=1e-4)
