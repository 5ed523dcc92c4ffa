"""The Fisher information of a model with heads, beside one training epoch over the same batches.

    python benchmarks/head_fisher.py [--examples 200] [--rounds 3] [--batch-size 32]

An encoder of MiniLM's shape with random weights; sentences of lognormal length, in tokens about as in SST (23), Quora
and STS (14), each task with its head. An epoch is a forward and a backward pass over each batch, with dropout, and no
step of an optimiser. The two take turns; a ratio is the median of the rounds' own. Prints seconds for 1,000 examples.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from transformers import BertConfig, BertModel

from dfwe.families.encoder.data import SentenceSplit, sentence_batch
from dfwe.families.multi_head.fisher import HeadFisher
from dfwe.families.multi_head.heads.base import HeadSpec
from dfwe.families.multi_head.heads.classification import Classification
from dfwe.families.multi_head.heads.pair_classification import PairClassification
from dfwe.families.multi_head.heads.similarity import SimilarityHead
from dfwe.families.multi_head.model import MultiHead
from dfwe.records import Instance

WIDTH, WORDS = 384, 30522
TOKENS = {"sst": 23, "quora": 14, "sts": 14}  # in a sentence, on average
PAIR = {"columns": ["a", "b"], "pooling": "mean", "dropout": 0.3}
HEADS: dict[str, tuple[HeadSpec, Sequence[str]]] = {
    "sst": (Classification(["a"], pooling="pooler", dropout=0.3), "abcde"),
    "quora": (PairClassification(**PAIR, hidden=256, features=["u", "v", "abs_difference"]), "ny"),  # type: ignore[arg-type]
    "sts": (SimilarityHead(**PAIR, hidden=128, squash="clamp", k=0.9, low=0.0, high=5.0), ()),  # type: ignore[arg-type]
}


def minilm() -> MultiHead:
    """MiniLM's shape, random weights."""
    torch.manual_seed(0)
    shape = {"hidden_size": WIDTH, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536}
    encoder = BertModel(BertConfig(vocab_size=WORDS, **shape))
    return MultiHead(
        encoder, heads={task: spec.build(width=WIDTH, labels=labels) for task, (spec, labels) in HEADS.items()}
    )


def split(task: str, *, examples: int) -> SentenceSplit:
    """Random sentences."""
    generator = np.random.default_rng(0)
    sentences = 1 if task == "sst" else 2

    def sentence() -> list[int]:
        length = int(np.clip(generator.lognormal(np.log(TOKENS[task]) - 0.08, 0.4), 4, 64))
        ids: list[int] = generator.integers(1, WORDS, size=length).tolist()
        return ids

    tokens = tuple(tuple(sentence() for _ in range(sentences)) for _ in range(examples))
    instances = (Instance("i", "d", "", "", ("x",), ("x",)),) * examples
    return SentenceSplit(task, instances, tokens, generator.integers(2, size=examples).astype(float), pad_id=0)


def epoch(model: MultiHead, splits: Sequence[SentenceSplit], *, size: int) -> None:
    """A forward and a backward pass over every batch, of like length as the collector's are."""
    model.train()
    for each in splits:
        order = sorted(range(len(each)), key=lambda index: each.lengths[index])
        for start in range(0, len(order), size):
            batch = sentence_batch(each, order[start : start + size])
            model.zero_grad()
            loss = model.head(each.task).losses(model(batch), batch["gold"]).mean()
            loss.backward()  # type: ignore[no-untyped-call]


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Prints a row for each task, and one for all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=32)
    arguments = parser.parse_args()
    model, size, number = minilm(), arguments.batch_size, arguments.examples
    every = {task: split(task, examples=number) for task in HEADS}
    collector = HeadFisher(examples=number, weights={}, sigma=1.0, samples=5, batch_size=size)
    print(f"{torch.get_num_threads()} threads, batches of {size}, seconds for 1,000 examples of a task")
    sets = {**{task: [each] for task, each in every.items()}, "all": list(every.values())}
    for name, splits in sets.items():
        work: list[Callable[[], object]] = [
            partial(epoch, model, splits, size=size),
            partial(collector.collect, [model], questions=[splits], seed=0),
        ]
        times = [[seconds(each) for each in work] for _ in range(arguments.rounds + 1)][1:]  # the first warms up
        trained, found = (statistics.median(column) * 1000 / number for column in zip(*times, strict=True))
        ratio = statistics.median(fisher / training for training, fisher in times)
        print(f"{name:6} epoch {trained:6.1f} s  fisher {found:6.1f} s  ratio {ratio:.2f}", flush=True)


if __name__ == "__main__":
    main()
