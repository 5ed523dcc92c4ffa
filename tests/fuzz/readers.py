"""Every reader of what others wrote, with good files for it, through what the commands call."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from dfwe.conf import conf_dir
from dfwe.errors import DfweError
from dfwe.records import Coefficients, Evaluation, Trial

Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Reader:
    """Good files by their names, those that are damaged (all, where none is named), and what reads the folder."""

    name: str
    files: Callable[[], Files]
    read: Callable[[Path], Any]
    damaged: Sequence[str] = ()
    complete: bool = True  # the good files are read to the end; else they lack something on purpose
    weight: float = 1.0  # of the inputs; slow readers get fewer


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1).encode()


def _lines(*values: Any) -> bytes:
    return "".join(json.dumps(value) + "\n" for value in values).encode()


def _score(task: str) -> Callable[[Path], Any]:
    def read(folder: Path) -> Any:
        from dfwe.score import score_file

        with patch("dfwe.score.load_task", _task):  # reads all tasks' files, each time
            return score_file(folder / "cases.jsonl", task=task)

    return read


def _task(name: str, **_: Any) -> Any:
    """Return one of dfwe's own tasks; reading all their files for each input would take the most time."""
    return _tasks(name)


@cache
def _tasks(name: str) -> Any:
    from dfwe.config.tasks import load_task

    return load_task(name)


def _cases(*pairs: tuple[str, list[str]]) -> Callable[[], Files]:
    return lambda: {"cases.jsonl": _lines(*({"prediction": one, "references": gold} for one, gold in pairs))}


TURNS = [
    {"turn_id": 0, "speakers": ["Ada Pike"], "utterance": "I feel glad.", "MELD_emotion_recognition": {"label": "joy"}},
    {"turn_id": 1, "speakers": ["Ben Lowe"], "utterance": "No!", "emory_emotion_recognition": {"label": "mad"}},
]


@cache
def _tlidb() -> Files:
    """Four dialogues of the toy corpus, with annotations of all seven tasks."""
    import tempfile

    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    generator = OmegaConf.load(conf_dir() / "data" / "toy.yaml").generator
    tasks = dict.fromkeys(generator.task_fractions, 1.0)
    with tempfile.TemporaryDirectory() as name:
        sizes = {"num_train": 2, "num_dev": 1, "num_test": 1}
        instantiate(generator, _convert_="all", task_fractions=tasks, **sizes).write(Path(name))
        return {str(path.relative_to(name)): path.read_bytes() for path in Path(name).rglob("*") if path.is_file()}


def _read_tlidb(folder: Path) -> None:
    from dfwe.data.readers.tlidb import Tlidb

    corpus = Tlidb(folder).read()
    _all_tried(
        partial(_instances, task.prompt, dialogue) for task in _friends() for dialogue in corpus.dialogues.values()
    )


def _instances(prompt: Any, dialogue: Any) -> None:
    list(prompt.instances(dialogue, max_words=10, seed=0))


def _all_tried(parts: Iterable[Callable[[], Any]]) -> None:
    """Call all, although one refuses; then raise the last refusal."""
    refused = None
    for part in parts:
        try:
            part()
        except DfweError as error:
            refused = error
    if refused:
        raise refused


def _friends() -> tuple[Any, ...]:
    names = ("meld", "emory_emotion", "personality", "relation_extraction", "question_answering")
    return tuple(_task(name) for name in (*names, "reading_comprehension", "character_identification"))


def _read_passages(folder: Path) -> None:
    from dfwe.data.readers.plain_text import PlainText

    corpus = PlainText(folder, {"dev": "text.txt"}, words=3, encoding="utf-8").read()
    for dialogue in corpus.dialogues.values():
        _instances(_task("perplexity").prompt, dialogue)


def _table(name: str, content: bytes, **settings: Any) -> Reader:
    def read(folder: Path) -> None:
        from dfwe.data.examples import drop_invalid_rows
        from dfwe.data.prompts.answers import ClassLabel, Number
        from dfwe.data.prompts.template import Template
        from dfwe.data.readers.delimited import Delimited
        from dfwe.data.readers.json_lines import JsonLines
        from dfwe.data.readers.table import Table

        file: Any = JsonLines(path=name, encoding="utf-8", rename={})
        if settings:
            file = Delimited(path=name, columns=None, encoding="utf-8", rename={}, quoting=True, **settings)
        corpus = Table(folder, {"train": file}, {"dev": 0.3, "test": 0.3}, 0, "id", None, {"mood": ["?"]}).read()
        good = ClassLabel(column="mood", labels=("good", "bad"), texts={"1": "good"})
        for answer in (good, Number(column="mood", low=0, high=5, step=1, decimals=1)):
            found = drop_invalid_rows(
                corpus, prompt=Template(task="t", context="{text}", prompt=" mood:", answer=answer)
            )
            for report in found.row_reports.values():
                assert all(isinstance(line, str) for line in report.warnings())

    return Reader(f"table of {name}", lambda: {name: content}, read)


ROWS = [{"id": f"r{number}", "text": f"A cup {number}.", "mood": "good" if number % 2 else "3"} for number in range(8)]


def _delimited(delimiter: str) -> bytes:
    lines = [delimiter.join(["id", "text", "mood"]), *(delimiter.join(row.values()) for row in ROWS)]
    return ("\n".join(lines) + "\nr9" + delimiter + '"Said ""he"" to\nher"' + delimiter + "bad\n").encode()


@cache
def _releases() -> Files:
    path = Path(__file__).parents[1] / "data" / "friends" / "conftest.py"
    spec = importlib.util.spec_from_file_location("releases_of_tests", path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return {
        "question_answering/friendsqa_trn.json": made.dumped(made.friendsqa()),
        "emory_emotion/emotion-detection-trn.json": made.dumped(made.emory()),
        "emory_emotion/emorynlp_dev_final.csv": made.emory_table(),
        "character_identification/character-identification-trn.json": made.dumped(made.characters()),
        "character_mining/friends_season_10.json": made.dumped(made.one_line()),
        "reading_comprehension/json-25.zip": made.archive(),
        "reading_comprehension/reading-comprehension-dev.json": made.dumped(
            made.queries(made.hidden_kitchen(), "s01_e01_c01", ("@placeholder washes plums .", "@ent00"))
        ),
        "personality/friends-personality.csv": made.personality(),
        "meld/train_sent_emo.csv": made.meld(),
        "dialogre/train.json": made.dumped(made.dialogre()),
    }


def _read_releases(folder: Path) -> None:
    from dfwe.data.friends.prepare import prepare, report_text, summarize
    from dfwe.data.friends.split import OfficialSplit, read_official_split

    split = folder / "split.json"
    known = read_official_split(split) if split.exists() else OfficialSplit()
    report_text(summarize(prepare(folder, official=known, max_invalid_fraction=1.0), official=known))


def _card_files() -> Files:
    return {"train-0123456789abcdef/card.json": _card(), "train-0123456789abcdef/weights.bin": b"abc"}


@cache
def _card() -> bytes:
    import tempfile

    from dfwe.store.card import CARD, Card, file_digest, library_versions

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "weights.bin").write_bytes(b"abc")
        files = {"weights.bin": file_digest(folder / "weights.bin")}
        spec = {"task": "meld", "numbers": [1, 2.5, None]}
        result = {"epochs": [{"dev": 0.5}], "best_epoch": 1, "seconds": 2.5}
        Card("train", "0123456789abcdef", spec, result, files, library_versions(), title="expert meld").write(folder)
        return (folder / CARD).read_bytes()


def _read_store(folder: Path) -> None:
    from dfwe.store.card import Card
    from dfwe.store.command import main
    from dfwe.store.store import verify

    for arguments in (["list"], ["verify"], ["prune", "--older-than", "0", "--dry-run"]):
        assert main([*arguments, "--store", str(folder)]) in (0, 1, 2)
    entry = folder / "train-0123456789abcdef"
    Card.read(entry)
    verify(entry)


def _scored(predictions: Sequence[str]) -> Evaluation:
    counts = np.array([[float(answer == "yes"), 1.0] for answer in predictions]).reshape(len(predictions), 2)
    score = float(counts[:, 0].mean()) if len(counts) else 0.0
    return Evaluation(score, {"share": score}, tuple(predictions), counts)


@cache
def _journal() -> Files:
    import tempfile

    from dfwe.search.journal import Journal

    with tempfile.TemporaryDirectory() as name:
        journal = Journal(Path(name), evaluate_predictions=_scored)
        for number in (1, 2, 3):
            shares = Coefficients(("a", "b"), (0.1 * number, 1 - 0.1 * number))
            journal.append(Trial(number, "search", shares, _scored(("yes", "no")), seconds=0.25))
        return {path.name: path.read_bytes() for path in Path(name).iterdir()}


def _read_journal(folder: Path) -> None:
    from dfwe.report.trials import on_simplex, read_trials
    from dfwe.search.journal import Journal

    on_simplex(read_trials(folder / "trials.jsonl"))
    Journal(folder, evaluate_predictions=_scored)


MERGE = {
    "name": "ties", "kind": "merge", "stage": "merge-1", "selection": "search", "coefficients": {"a": 0.25, "b": 0.75},
    "dev": {"score": 0.55}, "test": {"score": 0.5, "interval": [0.25, 0.75]}, "delta": 0.1,
    "delta_interval": [-0.1, 0.3], "delta_standard_error": 0.02, "trial": 1, "evaluations": 4, "seconds": 2.0, "p": 0.5,
}  # fmt: skip
RESULTS = {
    "format": 4,
    "target": "t",
    "sources": ["a"],
    "seed": 0,
    "n": {"train": 8, "dev": 4, "test": 2},
    "models": [
        {"name": "baseline", "kind": "baseline", "dev": {"score": 0.5}, "test": {"score": 0.4, "interval": [0.2, 0.6]}},
        {"name": "a", "kind": "expert", "dev": {"score": 0.52}, "test": {"score": 0.42}},
        MERGE,
    ],
    "headline": {"name": "ties", "delta": 0.1, "delta_standard_error": 0.02, "test": 0.5},
    "data": {"root": None, "tasks": {"t": {"corpus": "abc", "shots": "all", "rows_read": {"x": 3}, "bad_rows": []}}},
}
ANSWERS = {
    "format": 1,
    "task": {"name": "t", "kind": "label", "labels": ["joy", "anger"]},
    "instance_ids": ["i", "j"],
    "gold": [["joy"], ["joy"]],
    "models": {"baseline": ["joy", "anger"], "a": ["joy", "joy"], "ties": ["joy", "joy"]},
}


def _run_files() -> Files:
    return {
        "2026-01-01/00-00-00/results.json": _json(RESULTS),
        "2026-01-01/00-00-00/test_predictions.json": _json(ANSWERS),
        "2026-01-01/00-00-00/trials.jsonl": _journal()["trials.jsonl"],
    }


def _read_runs(folder: Path) -> None:
    from rich.console import Console

    from dfwe.report.submission import StudyPredictions
    from dfwe.report.sweep.report import report_sweep
    from dfwe.report.terminal.run_list import list_runs

    console = Console(file=open(os.devnull, "w"), markup=False)  # noqa: SIM115, PTH123
    console.print(list_runs([folder]))
    failed = None
    for read in (
        lambda: report_sweep(folder, console=console),
        lambda: StudyPredictions.read(folder / "2026-01-01/00-00-00"),
    ):
        try:
            read()
        except DfweError as error:
            failed = error
    if failed:
        raise failed


def _read_page(folder: Path) -> None:
    from dfwe.report.html.run_page import write_run_page

    write_run_page(folder / "2026-01-01/00-00-00")


RECIPE = b"""merge_method: linear
models:
  - model: a
    parameters:
      weight: 1.0
  - model: b
    parameters:
      weight: [{filter: x, value: [0, 1]}, {value: 1e-1}]
dtype: float32
parameters: {normalize: true}
"""


SLICES = b"""merge_method: passthrough
slices:
  - sources: [{model: a, layer_range: [0, 1], parameters: {scale: 0.5}}]
  - sources: [{model: b, layer_range: [1, 2]}]
parameters: {int8_mask: true}
"""


@cache
def _adapter() -> Files:
    import torch
    from safetensors.torch import save

    factors = {"x.q.lora_A.weight": torch.ones(1, 3), "x.q.lora_B.weight": torch.ones(2, 1), "x.norm": torch.ones(2)}
    config = {
        "peft_type": "LORA", "r": 1, "lora_alpha": 4, "alpha_pattern": {"q": 2}, "use_rslora": True,
        "fan_in_fan_out": False, "base_model_name_or_path": "base",
    }  # fmt: skip
    return {
        "base/model.safetensors": save({"x.q.weight": torch.ones(2, 3), "x.norm": torch.zeros(2)}),
        "lora/adapter_model.safetensors": save({f"base_model.model.{name}": t for name, t in factors.items()}),
        "lora/adapter_config.json": _json(config),
    }


@cache
def _checkpoints() -> Files:
    import torch
    from safetensors.torch import save

    found: dict[str, bytes] = {"recipe.yaml": RECIPE}
    for number, name in enumerate("ab"):
        tensors = {"x.w": torch.full((2, 3), float(number)), "y.w": torch.ones(4), "steps": torch.tensor([5])}
        tensors["embed_tokens.weight"] = torch.full((4, 3), float(number))
        found[f"{name}/model-00001-of-00001.safetensors"] = save(tensors, metadata={"format": "pt"})
        weight_map = dict.fromkeys(tensors, "model-00001-of-00001.safetensors")
        index = {"metadata": {"total_size": 48}, "weight_map": weight_map}
        found[f"{name}/model.safetensors.index.json"] = _json(index)
        found[f"{name}/config.json"] = _json(
            {"model_type": "t5", "dtype": "float32", "architectures": ["X"], "d_model": 3}
        )
    return found


@cache
def _tokenized_checkpoints() -> Files:
    model = {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}
    tokenizer = {"model": model, "added_tokens": [{"id": 3, "content": "<pad>"}], "normalizer": None}
    files = {name: content for name, content in _checkpoints().items() if name != "recipe.yaml"}
    return files | {f"{name}/tokenizer.json": _json(tokenizer) for name in "ab"}


@cache
def _base_model() -> Files:
    import tempfile

    from dfwe.families.seq2seq.weights import FreshT5

    config = {"d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 1, "num_heads": 2}
    with tempfile.TemporaryDirectory() as name:
        FreshT5(vocab_size=260, config=config).build(Path(name), seed=0, texts=["a merry tale"])
        return {path.name: path.read_bytes() for path in Path(name).iterdir()}


def _read_base_model(folder: Path) -> None:
    from dfwe.families.seq2seq.weights import Pretrained

    source = Pretrained(name=str(folder))
    source.identity()
    source.build(folder / "copy", seed=0, texts=())


PARENT_CARD = b"""---
license: other
license_name: a-licence
language: [en, de]
---

# A model
"""


def _read_licence(folder: Path) -> None:
    from dfwe.models.origin import front_matter, origin_of

    origin_of(folder, title="parent")
    front_matter(folder)  # which raises what the other tells


def _read_recipe(folder: Path) -> None:
    from dfwe.merging.files.recipe import read_recipe

    read_recipe(folder / "recipe.yaml").at(("x.w", "layers.0.w", "layers.1.w"))


def _read_slices(folder: Path) -> None:
    from dfwe.merging.files.recipe import read_recipe

    read_recipe(folder / "recipe.yaml").at(("embed.w", "layers.0.w", "norm.w"))


def _read_adapter(folder: Path) -> None:
    from dfwe.models.adapters import AdaptedCheckpoint
    from dfwe.models.checkpoint import Checkpoint

    model = AdaptedCheckpoint(Checkpoint(folder / "base"), folder / "lora")
    for name in model.names:
        model.tensor(name)


def _combine(folder: Path) -> None:
    from dfwe.merging.files.merge_files import merge_files
    from dfwe.merging.files.recipe import read_recipe

    before = Path.cwd()
    os.chdir(folder)
    try:
        merge_files(read_recipe(Path("recipe.yaml")), out=Path("out"))
    finally:
        os.chdir(before)


def _preflight(folder: Path) -> None:
    from dfwe.merging.files.preflight import preflight

    preflight({"a": folder / "a", "b": folder / "b"}, base=None).check()


def _align(folder: Path) -> None:
    from dfwe.merging.files.tokenizers.aligned_vocabularies import align
    from dfwe.models.checkpoint import Checkpoint

    align([Checkpoint(folder / name) for name in "ab"], base=None, source="union")


def _task_files() -> Files:
    return {f"conf/task/{name}.yaml": (conf_dir() / "task" / f"{name}.yaml").read_bytes() for name in ("meld", "sts")}


def _read_task(folder: Path) -> None:
    from dfwe.config.tasks import load_task

    with patch("dfwe.config.task_options.conf_dir", lambda: folder / "none"):  # dfwe's own tasks are not what is tried
        for name in ("meld", "sts"):
            load_task(name, folders=(folder / "conf",))


def _asking(name: str) -> bytes:
    config = json.loads(json.dumps(dict(_task(name).config)))
    return _json(
        {
            "tasks": {name: config}, "target": name, "max_words": 512, "max_source_tokens": 64,
            "max_target_tokens": 8, "truncation": "context", "decode": "task", "reference": None,
        }
    )  # fmt: skip


def _predict_files() -> Files:
    turns = [{key: turn[key] for key in ("speakers", "utterance")} for turn in TURNS]
    one = {"dialogue_id": "d1", "dialogue": turns}
    return {
        "merged/dfwe.json": _asking("meld"),
        "merged/config.json": b"{}",
        "new.jsonl": _lines(one, {**one, "dialogue_id": "d2"}),
        "turns.csv": b"dialogue_id,speaker,utterance\nd1,Ada,I feel glad.\nd1,Ben,No!\n",
    }


def _predict_rows_files() -> Files:
    return {
        "merged/dfwe.json": _asking("sst"),
        "merged/config.json": b"{}",
        "new.tsv": b"id\tsentence\nr1\tA cup.\nr2\tA lid.\n",
        "new.jsonl": _lines({"id": "r1", "sentence": "A cup."}, {"sentence": "A lid."}),
    }


def _predict(folder: Path) -> None:
    """Read as the command does, up to the weights."""
    from dfwe.data.prompts.base import columns_of
    from dfwe.predict.files import read_items
    from dfwe.predict.folder import read_asking, task_of
    from dfwe.predict.inputs import instances_of

    asking = read_asking(folder / "merged")
    prompt = replace(task_of(asking, name=None, folder=folder / "merged", trusted=False).prompt, unlabelled=True)

    def ask(path: Path) -> None:
        items, _ = read_items(str(path), form=None, columns=columns_of(prompt))
        instances_of(items, prompt=prompt, max_words=asking.max_words)

    _all_tried(partial(ask, path) for path in sorted(folder.glob("*.*")))


READERS = (
    Reader("score labels", _cases(("joy", ["joy"]), ("anger", ["joy"])), _score("meld"), weight=2),
    Reader("score spans", _cases(("a b", ["a", "a b"]), ("c", ["d"])), _score("question_answering")),
    Reader(
        "score relations", _cases(("per:friends", ["per:friends"]), ("x", ["per:boss"])), _score("relation_extraction")
    ),
    Reader("score numbers", _cases(("2.5", ["2.0"]), ("1", ["4"])), _score("sts")),
    Reader("score passages", _cases(("[-3.5, 2]", ["a b"]), ("[-1, 1]", ["c"])), _score("perplexity")),
    Reader("score documents", _cases(('{"acc,none": 1.0}', ["1"])), _score("lm_eval")),
    Reader("passages", lambda: {"text.txt": b"A cup.\n\nTwo lids and a broth " * 3}, _read_passages),
    Reader("tlidb", _tlidb, _read_tlidb, weight=3),
    _table("rows.csv", _delimited(","), delimiter=","),
    _table("rows.tsv", _delimited("\t"), delimiter="\t"),
    _table("rows.jsonl", _lines(*ROWS)),
    Reader("releases", _releases, _read_releases, weight=3),
    Reader(
        "known split",
        lambda: {"split.json": _json({"train": ["s01_e01_c01"], "dev": ["b"], "test": []}), **_releases()},
        _read_releases,
        damaged=["split.json"],
    ),
    Reader("store", _card_files, _read_store, damaged=["train-0123456789abcdef/card.json"], weight=2),
    Reader("journal", _journal, _read_journal, weight=2),
    Reader("runs", _run_files, _read_runs, weight=3),
    Reader("page", _run_files, _read_page, weight=0.1),
    Reader(
        "licence", lambda: {"README.md": PARENT_CARD, "config.json": b'{"license": "mit"}'}, _read_licence, weight=1
    ),
    Reader("recipe", lambda: {"recipe.yaml": RECIPE}, _read_recipe, weight=3),
    Reader("slices", lambda: {"recipe.yaml": SLICES}, _read_slices, weight=2),
    Reader("adapter", _adapter, _read_adapter, weight=1),
    Reader("combine", _checkpoints, _combine, weight=1),
    Reader("preflight", _tokenized_checkpoints, _preflight, weight=1),
    Reader("aligned vocabularies", _tokenized_checkpoints, _align, weight=0.5),
    Reader("base model", _base_model, _read_base_model, weight=0.7),
    Reader("task", _task_files, _read_task, weight=1),
    Reader("predict", _predict_files, _predict, weight=3),
    Reader("predict rows", _predict_rows_files, _predict, weight=2),
)
