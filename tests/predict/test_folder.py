"""Folders that are not a merged model's, are damaged, or would run something."""

import json
import pickle
import shutil

import pytest
import torch

from dfwe.errors import ConfigurationError, DfweError, ModelError
from dfwe.predict import load
from dfwe.predict.command import main


def test_a_folder_of_something_else_says_what_is_wanted(folder, tmp_path, capsys):
    with pytest.raises(ModelError, match="nothing is not a folder: name the folder merged/ or best/ of a run"):
        load(tmp_path / "nothing")
    path = folder()
    with pytest.raises(ModelError, match=r"holds no dfwe.json; did you mean .*/merged\?"):
        load(tmp_path)
    (path / "dfwe.json").unlink()
    assert main(["--model", str(path), "x.jsonl"]) == 2
    err = capsys.readouterr().err
    assert "was not exported by a study: it holds no dfwe.json: name the folder merged/ or best/ of a run; load" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": 3}, "dfwe.json, `target` must be a text, not 3"),
        ({"target": "none"}, "does not describe its target 'none'"),
        ({"tasks": []}, "`tasks` must be an object, not a list"),
        ({"tasks": {"mood": {}}}, "task `mood` lacks `name`"),
        ({"max_words": -1}, "the numbers of words and tokens must be above 0"),
        ({"max_words": "9"}, "`max_words` must be a whole number, not 9"),
        ({"max_source_tokens": 0}, "the numbers of words and tokens must be above 0"),
        ({"truncation": "nope"}, "`truncation` must be one of context, reference, not nope"),
        ({"decode": "sample"}, "`decode` must be one of task, greedy, reference, not sample"),
    ],
)
def test_a_dfwe_json_that_cannot_be_is_refused(folder, changes, message):
    with pytest.raises(ModelError, match=message):
        load(folder(**changes))


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ([1], "`reference` must be an object"),
        ({"num_beams": 1}, "`reference` lacks `do_sample`"),
        (
            {"do_sample": True, "num_beams": 0, "repetition_penalty": 1, "max_length": 5, "seed": 0},
            "num_beams",
        ),
    ],
)
def test_numbers_of_the_reference_are_checked(folder, numbers, message):
    with pytest.raises(DfweError, match=message):
        load(folder(decode="reference", reference=numbers)).predict(["A cup."])


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, '{"max_words": 1e400}'])
def test_a_broken_dfwe_json_is_one_line(folder, text, capsys):
    path = folder()
    (path / "dfwe.json").write_text(text)
    assert main(["--model", str(path), "x.jsonl"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert "dfwe.json" in err
    assert err.count("\n") == 1


HOSTILE = [
    {"_target_": "shutil.copyfile", "src": "new.txt", "dst": "ran"},  # nothing that Hydra itself would block
    "${oc.create:{_target_: shutil.copyfile, src: new.txt, dst: ran}}",
    ["${oc.create:{_target_: shutil.copyfile, src: new.txt, dst: ran}}"],
    {"_target_": "os.system", "command": "touch ran"},
    {"_target_": "builtins.exec", "_args_": ["open('ran', 'w')"]},
    {"_target_": "hydra.utils.get_method", "path": "os.system"},
    {"_target_": "dfwe.store.store.shutil.rmtree", "path": "."},
    {"_target_": "dfwe.data.fetch.fetch"},
    {"_target_": "dfwe.metrics.classification.Accuracy", "_partial_": True, "labels": []},
    "${oc.create:{_target_: os.system, command: 'touch ran'}}",
    "${oc.env:HOME}",
]


@pytest.mark.parametrize("hostile", HOSTILE, ids=repr)
@pytest.mark.parametrize("place", ["prompt", "answer", "metrics", "other task"])
def test_nothing_of_a_strangers_folder_runs(folder, asking, tmp_path, monkeypatch, capsys, hostile, place):
    monkeypatch.chdir(tmp_path)
    tasks = json.loads(json.dumps(asking["tasks"]))
    holder = {"prompt": tasks["mood"], "answer": tasks["mood"]["prompt"], "metrics": tasks["mood"]["metrics"]}
    if place == "other task":
        tasks["question_answering"]["prompt"] = hostile
    else:
        holder[place]["acc" if place == "metrics" else place] = hostile
    (tmp_path / "new.txt").write_text("A cup.\n")
    before = sorted(path.name for path in tmp_path.iterdir())
    for task in (["--task", "mood"], [], ["--task", "sst"]):
        assert main(["--model", str(folder(tasks=tasks)), *task, "new.txt"]) == 2
        out, err = capsys.readouterr()
        assert "dfwe.json" in err
        assert out == ""
    assert sorted({*before, "merged"}) == sorted(path.name for path in tmp_path.iterdir())


def test_a_secret_in_a_text_stays_a_text(folder, asking, tmp_path, monkeypatch):
    monkeypatch.setenv("DFWE_SECRET", "s3cret")
    tasks = json.loads(json.dumps(asking["tasks"]).replace('"good"', '"${oc.env:DFWE_SECRET}"'))
    (tmp_path / "new.txt").write_text("A cup.\nwhat is it?\nI feel glad.\n")
    path, out = folder(tasks=tasks, max_target_tokens=64), tmp_path / "out.jsonl"
    assert main(["--model", str(path), "--probabilities", str(tmp_path / "new.txt"), "--out", str(out)]) == 0
    written = out.read_text()
    assert "${oc.env:DFWE_SECRET}" in written
    assert "s3cret" not in written


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("config.json", {"auto_map": {"AutoConfig": "x--y.Z", "AutoModelForSeq2SeqLM": "code.Model"}}),
        ("config.json", {"attn_implementation": "someone/kernels"}),
        ("config.json", {"_attn_implementation": "someone/kernels:f"}),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["code.Tokenizer", None]}}),
    ],
    ids=["auto_map", "attention", "attention of old", "tokenizer"],
)
def test_a_folder_that_asks_for_code_never_runs_it(folder, tmp_path, monkeypatch, file, change):
    path = folder()
    (path / "code.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Model: pass\nclass Tokenizer: pass\n")
    settings = json.loads((path / file).read_text())
    (path / file).write_text(json.dumps(settings | change))
    with pytest.raises(
        ModelError, match=rf"merged: {file}.* `{next(iter(change))}`.*(names code to run|import or download)"
    ):
        load(path).predict(["A cup."])
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("damage", ["missing", "cut", "another"])
def test_damaged_weights_are_one_line(folder, tmp_path, capsys, damage):
    path = folder()
    weights = path / "model.safetensors"
    content = weights.read_bytes()
    weights.unlink()
    if damage != "missing":
        weights.write_bytes(content[: len(content) // 2] if damage == "cut" else b"\x80\x04 not weights")
    (tmp_path / "new.txt").write_text("A cup.\n")
    assert main(["--model", str(path), str(tmp_path / "new.txt")]) == 2
    err = capsys.readouterr().err
    assert str(path) in err
    assert err.count("\n") == 1


class Payload:
    """Unpickled, it writes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_a_pickle_in_place_of_weights_never_runs(folder, tmp_path, capsys):
    path = folder()
    (path / "model.safetensors").unlink()
    with (path / "pytorch_model.bin").open("wb") as file:
        pickle.dump(Payload(tmp_path / "ran"), file)
    torch.save({"shared.weight": Payload(tmp_path / "ran")}, tmp_path / "zipped.bin")
    (tmp_path / "new.txt").write_text("A cup.\n")
    for source in (None, tmp_path / "zipped.bin"):
        if source:
            shutil.copy(source, path / "pytorch_model.bin")
        assert main(["--model", str(path), str(tmp_path / "new.txt")]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "ran").exists()


def test_an_unknown_task_is_told_those_of_the_folder(folder):
    with pytest.raises(ConfigurationError, match=r"did you mean mood\?|the folder has mood"):
        load(folder(), task="moood")
