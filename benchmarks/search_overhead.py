"""The share of a search's time that is not forward passes: merging, asking, scoring, writing down, picking.

    python benchmarks/search_overhead.py [--shape small|base] [--answers labels|text] [--precision auto|32-true]
        [--evaluations 40] [--prompts 120] [--threads N]

The search of `conf/merge/nelder_mead.yaml` as a study runs it (journal on disk, bagged selection), over five
Flan-T5 of that shape with random weights. A study also answers the best candidates again in float32: more forward
passes, left out here, as random weights tie. Prompts have 200 to 400 tokens; answers are one of 7 labels, or texts of
20 tokens (random weights never end one). Prints each part's share of the time, without the parts within it, and the
share of "everything but forward passes".
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import torch
from shapes import SHAPES, model_of, prompts_of
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import Unigram
from transformers import PreTrainedTokenizerFast

from dfwe.families.fast.kernels import HalfCopy
from dfwe.families.scorer import SplitScorer
from dfwe.families.seq2seq.inference.asking import Seq2SeqInference
from dfwe.families.text.decoding import Decoding
from dfwe.families.text.reader import TextReader
from dfwe.families.text.tokenization import TokenisedSplit
from dfwe.merging.expert_array import ExpertArray, Layout
from dfwe.metrics.base import Metric
from dfwe.metrics.classification import F1
from dfwe.metrics.scorer import Scorer
from dfwe.metrics.span import ExactMatch, TokenF1Macro
from dfwe.records import Instance
from dfwe.search.journal import Journal
from dfwe.search.optimizers.nevergrad import NevergradSearch
from dfwe.search.selection import Bagged
from dfwe.search.space import Space
from dfwe.training import weight_search
from dfwe.training.precision import resolve_precision

FORWARD = "forward passes"
LABELS = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
NEW = 20


class Parts:
    """Seconds by part; a part within another is taken out of it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._inner = [0.0]

    def watch(self, owner: Any, attribute: str, *, part: str) -> None:
        """Counts what that function takes as this part's."""
        setattr(owner, attribute, self.timed(getattr(owner, attribute), part=part))

    def timed(self, function: Callable[..., Any], *, part: str) -> Callable[..., Any]:
        """The function, counted."""

        def run(*args: Any, **kwargs: Any) -> Any:
            self._inner.append(0.0)
            begun = time.perf_counter()
            result = function(*args, **kwargs)
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            took = time.perf_counter() - begun
            self.seconds[part] += took - self._inner.pop()
            self._inner[-1] += took
            return result

        return run


def tokenizer_of(size: int) -> PreTrainedTokenizerFast:
    """A tokenizer of T5's kind with that many invented words."""
    words = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((f"▁w{number}", -9.0) for number in range(size - 3))]
    backend = Tokenizer(Unigram(words, unk_id=2))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")


def split_of(num_prompts: int, *, closed: bool) -> TokenisedSplit:
    """Random prompts with their gold answers."""
    prompts = prompts_of(num_prompts)
    candidates = [[1000 + number, 2000 + number % 3, 1] for number in range(len(LABELS))] if closed else []
    instances = tuple(
        Instance(str(number), "", "", "", (), (LABELS[number % len(LABELS)],), LABELS if closed else ())
        for number in range(len(prompts))
    )
    lengths = [len(prompt) for prompt in prompts]
    columns = {"source": prompts, "length": lengths, "candidates": [candidates] * len(prompts)}
    return TokenisedSplit(instances, datasets.Dataset.from_dict(columns))


def scorer_of(options: argparse.Namespace, *, vocabulary: int, parts: Parts) -> SplitScorer:
    """What a study scores candidates with."""
    closed = options.answers == "labels"
    labels: dict[str, Metric] = {"micro": F1(LABELS, "micro"), "weighted": F1(LABELS, "weighted")}
    metrics = labels if closed else {"exact match": ExactMatch(), "token F1": TokenF1Macro()}
    decoding = Decoding(
        decode="labels" if closed else "greedy",
        max_new_tokens=NEW,
        max_tokens=1024,  # both as in conf/trainer/base.yaml
        text_tokens=16384,
    )
    tokenizer = tokenizer_of(vocabulary)
    parts.watch(tokenizer, "batch_decode", part="tokens to text")
    split = split_of(options.prompts, closed=closed)
    half = HalfCopy() if resolve_precision(options.precision, accelerator="auto") == "bf16-mixed" else None
    reader = TextReader(split, decoding=decoding, tokenizer=tokenizer, inference=Seq2SeqInference())
    return SplitScorer(reader, scorer=Scorer(metrics), half=half)


def experts_of(model: Any) -> ExpertArray:
    """Five experts around the model."""
    layout = Layout.of(model)
    weights = torch.empty(5, layout.size)
    start = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    for row in weights:
        torch.add(start, torch.randn(layout.size), alpha=0.02, out=row)
    return ExpertArray(tuple("abcde"), layout, weights)


def watch_all(parts: Parts) -> None:
    """Counts the parts of a search."""
    for name in ("candidate_log_likelihoods", "greedy"):
        parts.watch(Seq2SeqInference, name, part=FORWARD)
    for owner, attribute, part in (
        (TextReader, "answers", "batches and best answers"),
        (HalfCopy, "of", "bfloat16 copy"),
        (Scorer, "evaluate", "metrics"),
        (Journal, "append", "journal"),
        (NevergradSearch, "ask", "ask and tell"),
        (NevergradSearch, "tell", "ask and tell"),
        (Bagged, "choose", "selection"),
        (weight_search.Candidate, "at", "merge"),
        (weight_search.Candidate, "write", "merge"),
    ):
        parts.watch(owner, attribute, part=part)


def search(options: argparse.Namespace, *, folder: Path, parts: Parts) -> tuple[float, int]:
    """Return the seconds of one whole search, and its number of trials."""
    model = model_of(options.shape)
    scorer = scorer_of(options, vocabulary=model.config.vocab_size, parts=parts)
    watch_all(parts)
    start = time.perf_counter()
    result = weight_search.run_weight_search(
        model,
        experts_of(model),
        NevergradSearch(
            Space(tuple("abcde")),
            optimizer="UnitNelderMead",
            seed=0,
            budget=options.evaluations,
            step=1.0,
            adaptive=False,
        ),
        scorer,
        selection=Bagged(resamples=200, margin=0.01),
        journal=Journal(folder, evaluate_predictions=scorer.evaluate),
        totals_score=scorer.scorer.score,
    )
    return time.perf_counter() - start, len(result.trials)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="small")
    parser.add_argument("--answers", choices=("labels", "text"), default="labels")
    parser.add_argument("--precision", choices=("auto", "32-true", "bf16-mixed"), default="auto")
    parser.add_argument("--evaluations", type=int, default=40)
    parser.add_argument("--prompts", type=int, default=120)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    parts = Parts()
    with tempfile.TemporaryDirectory() as folder:
        seconds, trials = search(options, folder=Path(folder), parts=parts)
    parts.seconds["everything else"] = seconds - sum(parts.seconds.values())
    shares = {
        part: round(taken / seconds, 4) for part, taken in sorted(parts.seconds.items(), key=lambda each: -each[1])
    }
    print(json.dumps({**vars(options), "trials": trials, "seconds": round(seconds, 2)}))
    print(json.dumps(shares))
    print(json.dumps({"everything but forward passes": round(1 - parts.seconds[FORWARD] / seconds, 4)}))


if __name__ == "__main__":
    main()
