"""How long pages take: one study's, and the comparison of 140 runs (20 triples, 7 targets); and how large they are.

    python benchmarks/page.py [--keep FOLDER]

Limits: 10 s and 5 MB for a study, 20 s for the comparison. The runs are invented: numbers drawn with a seed, all that
`results.json` can hold, texts of a few hundred words.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from dfwe.data.friends.tasks import TASKS
from dfwe.report.html.compare_page import write_comparison
from dfwe.report.html.run_page import write_run_page

LABELS = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
NUM_TEST, NUM_TRIALS = 1200, 41


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep", type=Path, help="write the runs and pages here and keep them")
    keep = parser.parse_args().keep
    with tempfile.TemporaryDirectory() as folder:
        root = keep or Path(folder)
        folders = write_sweep(root)
        report(f"page of a study of {NUM_TRIALS} trials", lambda: write_run_page(folders[0]))
        report(f"page that compares {len(folders)} runs", lambda: write_comparison([root], out=None))


def report(what: str, make: Any) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    path = make()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{what:36} {wall:6.1f} s, {cpu:5.1f} s of CPU {path.stat().st_size / 1e6:6.2f} MB")


def write_sweep(root: Path, *, targets: tuple[str, ...] = TASKS, most: int = 20, seeds: int = 1) -> list[Path]:
    """A sweep over triples of sources, targets and seeds; only the first run has texts and trials."""
    jobs = [
        (target, sources, seed)
        for target in targets
        for sources in list(itertools.combinations([task for task in TASKS if task != target], 3))[:most]
        for seed in range(seeds)
    ]
    folders = [root / str(number) for number in range(len(jobs))]
    for number, (folder, (target, sources, seed)) in enumerate(zip(folders, jobs, strict=True)):
        write_run(folder, target=target, sources=sources, seed=seed, whole=number == 0)
    return folders


def write_run(folder: Path, *, target: str, sources: tuple[str, ...], seed: int = 0, whole: bool = True) -> None:
    """A run folder; `whole` ones have trials, examples, interpolations and answers, too."""
    generator = np.random.default_rng([seed, *map(ord, target + "".join(sources))])
    results = _results(generator, target=target, sources=sources, seed=seed)
    folder.mkdir(parents=True, exist_ok=True)
    if whole:
        results |= {"examples": _examples(generator), "interpolations": _interpolations(results, generator)}
        results |= {"diagnostics": {"interpolation": {"dev_answers": 6000, "seconds": 3.4}}}
        trials = _trials(generator, experts=_experts(target, sources))
        (folder / "trials.jsonl").write_text("".join(json.dumps(trial) + "\n" for trial in trials))
        answers = _answers(generator, target=target, models=[row["name"] for row in results["models"]])
        (folder / "test_predictions.json").write_text(json.dumps(answers))
    (folder / "results.json").write_text(json.dumps(results))


def _experts(target: str, sources: tuple[str, ...]) -> list[str]:
    return [target, "mixture", *sources]


def _results(generator: np.random.Generator, *, target: str, sources: tuple[str, ...], seed: int) -> dict[str, Any]:
    experts = _experts(target, sources)
    base = float(generator.uniform(0.3, 0.6))
    rows = [_model("baseline", "baseline", base, generator), *(_model(e, "expert", base, generator) for e in experts)]
    others = ("random point", "longer baseline", "logit ensemble")
    rows += [_model(name, "baseline", base, generator) for name in others]
    rows += [_merge(name, experts, base, generator) for name in ("uniform", "nelder_mead")]
    head = rows[-1]
    keys = ("name", "delta", "delta_standard_error", "coefficients", "evaluations")
    return {
        "format": 4,
        "command": f"python -m dfwe.run +target={target} seed={seed}",
        "target": target,
        "sources": list(sources),
        "seed": seed,
        "decode": "labels",
        "precision": "32-true",
        "n": {"train": 400, "dev": 200, "test": NUM_TEST},
        "models": rows,
        "headline": {key: head[key] for key in keys} | {"test": head["test"]["score"]},
        "recommended": _recommended(rows),
        "warnings": [
            {"code": "not_converged", "subject": "baseline", "text": "the last epoch was the best of baseline"}
        ],
        "curves": _curves(experts, generator),
        "classes": {target: _classes(rows, generator)},
        "decoding_comparison": {},
        "data": {"tasks": {t: {"corpus": "4f" * 32, "shots": 0.1, "bad_rows": []} for t in (target, *sources)}},
        "model": "invented",
        "auto_class": "AutoModelForSequenceClassification",
        "parent": "6bb553132fccb7c4",
        "seconds": {f"train expert {name}": float(generator.uniform(10, 90)) for name in experts},
        "versions": {"dfwe": "0.1.0", "numpy": np.__version__},
    }


def _recommended(rows: list[dict[str, Any]]) -> dict[str, Any]:
    best = max(rows, key=lambda row: row["dev"]["score"])
    against = [{"role": "baseline", "name": "baseline", **_difference(best)}] if "delta" in best else []
    if best["name"] != "mixture":
        against.append({"role": "best_expert", "name": "mixture", "delta": 0.004, "delta_interval": [-0.015, 0.022]})
    claim = {"claim": "not_shown", "why": "the test split shows no gain over mixture (+0.4, -1.5 to +2.2)"}
    score = {"dev": best["dev"]["score"], "test": best["test"]["score"], "folder": "best"}
    return {"name": best["name"], "kind": best["kind"], **score, "against": against, **claim}


def _difference(row: dict[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in ("delta", "delta_interval", "delta_standard_error")}


def _curves(experts: list[str], generator: np.random.Generator) -> list[dict[str, Any]]:
    curves = []
    for part, name in [(p, e) for p in ("train", "finetune") for e in experts] + [("baseline", "baseline")]:
        target = np.sort(generator.uniform(0.3, 0.6, size=6)).tolist()
        own = target[::-1] if part == "train" else [None] * 6
        epochs = [{"target": t, "own": o} for t, o in zip(target, own, strict=True)]
        curves.append({"name": name, "part": part, "epochs": epochs, "best_epoch": 6, "criterion": "target"})
    return curves


def _classes(rows: list[dict[str, Any]], generator: np.random.Generator) -> dict[str, Any]:
    gold = dict(zip(LABELS, (120, 24, 36, 240, 540, 96, 144), strict=True))
    return {"gold": gold, "f1": {r["name"]: {x: float(generator.uniform()) for x in LABELS} for r in rows}}


def _model(name: str, kind: str, base: float, generator: np.random.Generator) -> dict[str, Any]:
    dev, test = (float(base + generator.normal(0.02, 0.04)) for _ in range(2))
    test = base if name == "baseline" else test
    row: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "stage": f"{kind}-{generator.integers(2**60):x}",
        "dev": _scores(dev),
    }
    row |= {"test": _scores(test) | {"interval": [test - 0.03, test + 0.03]}}
    row |= {"cost": {"train_steps": 900, "train_tokens": 750_000, "dev_answers": 4800, "seconds": 71.5, "bytes": 4e8}}
    if name == "baseline":
        return row
    delta = test - base
    row |= {"delta": delta, "delta_standard_error": 0.015, "delta_interval": [delta - 0.03, delta + 0.03]}
    return row | {"p": float(generator.uniform()), "p_by": "bootstrap"}


def _merge(name: str, experts: list[str], base: float, generator: np.random.Generator) -> dict[str, Any]:
    weights = generator.dirichlet(np.ones(len(experts)))
    row = _model(name, "merge", base, generator)
    than: dict[str, Any] = {
        "name": "mixture",
        "delta": 0.004,
        "delta_standard_error": 0.01,
        "delta_interval": [-0.015, 0.022],
        "p": 0.4,
    }
    row |= {"coefficients": dict(zip(experts, map(float, weights), strict=True)), "selection": "bagged", "trial": 17}
    row |= {"against": {"uniform": than, "best_expert": than}, "optimism": 0.021, "seconds": 10.9}
    diameters = [float(0.9**step) for step in range(30)]
    diagnosis = {"distinct_scores": 31, "evaluated": 41, "replayed": 4, "plateau": 12, "diameters": diameters}
    row |= {"evaluations": NUM_TRIALS, "search_diagnostics": diagnosis, "notes": {}}
    return row | {"leave_one_out": {e: row["dev"]["score"] - float(generator.normal(0.01, 0.02)) for e in experts}}


def _scores(score: float) -> dict[str, Any]:
    return {"score": score, "metrics": {"F1-micro": score + 0.01, "F1-weighted": score - 0.01}}


def _trials(generator: np.random.Generator, *, experts: list[str]) -> list[dict[str, Any]]:
    trials = []
    for number in range(1, NUM_TRIALS + 1):
        weights = dict(zip(experts, map(float, generator.dirichlet(np.ones(len(experts)))), strict=True))
        score = float(generator.uniform(0.4, 0.6))
        told: dict[str, Any] = {"score": score} if number % 5 else {"score": None, "bound": score}
        trials.append({"number": number, "kind": "search", "coefficients": weights, **told, "seconds": 0.3})
    return trials


def _interpolations(results: dict[str, Any], generator: np.random.Generator) -> list[dict[str, Any]]:
    names = [row["name"] for row in results["models"] if row["kind"] == "expert"]
    shares = np.linspace(0, 1, 11)
    return [
        {"a": a, "b": b, "points": [{"share": float(s), "dev": 0.5 - depth * s * (1 - s) + 0.03 * s} for s in shares]}
        for a, b in itertools.combinations(names, 2)
        for depth in generator.uniform(0, 0.8, size=1)
    ]


def _examples(generator: np.random.Generator) -> dict[str, Any]:
    def case(number: int) -> dict[str, Any]:
        words = " ".join(generator.choice(["the", "kettle", "sings", "again", "and", "nobody", "listens"], size=120))
        before, gold = generator.choice(LABELS, size=2, replace=False)
        return {"instance_id": f"s1_{number}", "source": words, "gold": [gold], "before": before, "after": gold}

    fixed, broke = ([case(number) for number in range(start, start + 8)] for start in (0, 8))
    return {
        "merge": "nelder_mead",
        "against": "baseline",
        "num_fixed": 92,
        "num_broke": 61,
        "fixed": fixed,
        "broke": broke,
    }


def _answers(generator: np.random.Generator, *, target: str, models: list[str]) -> dict[str, Any]:
    gold = generator.choice(LABELS, size=NUM_TEST, p=[0.1, 0.02, 0.03, 0.2, 0.45, 0.08, 0.12])
    right = generator.uniform(size=(len(models), NUM_TEST)) < 0.6
    drawn = generator.choice(LABELS, size=(len(models), NUM_TEST))
    answers = {name: list(np.where(right[m], gold, drawn[m])) for m, name in enumerate(models)}
    task = {"name": target, "kind": "label", "labels": list(LABELS)}
    ids = [f"s1_{number}" for number in range(NUM_TEST)]
    return {"format": 1, "task": task, "instance_ids": ids, "gold": [[label] for label in gold], "models": answers}


if __name__ == "__main__":
    main()
