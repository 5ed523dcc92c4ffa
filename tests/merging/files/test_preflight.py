"""Preflight: each planted fault is named, sound models of six architectures give no finding but ok."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from dfwe.merging.files.preflight import preflight
from dfwe.merging.files.resources import FreeSpace, free_space
from dfwe.preflight import main

ROOM = FreeSpace(memory=10**9, disk=10**9)
TOKENIZER = {
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]},
    "added_tokens": [{"id": 3, "content": "<pad>"}],
    "normalizer": None,
}
CONFIG = {"model_type": "bert", "num_attention_heads": 2, "vocab_size": 40, "id2label": {"0": "no", "1": "yes"}}


def noisy(tensors, *, seed, scale=0.02):
    """The tensors with noise on all that are not whole numbers."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: tensor + scale * torch.randn(tensor.shape, generator=generator).to(tensor.dtype)
        if tensor.is_floating_point()
        else tensor
        for name, tensor in tensors.items()
    }


def write(folder, *, tensors, config=CONFIG, tokenizer=TOKENIZER):
    folder.mkdir()
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with the experts a and b, and their parent."""
    monkeypatch.chdir(tmp_path)
    weights = {"embed_tokens.weight": torch.ones(40, 8), "layer.weight": torch.ones(8, 8), "steps": torch.tensor([5])}
    parent = noisy(weights, seed=0, scale=1.0)
    write(Path("parent"), tensors=parent)
    for seed, name in enumerate("ab", start=1):
        write(Path(name), tensors=noisy(parent, seed=seed))
    return tmp_path


def findings(*, level=None, free=ROOM):
    result = preflight({"a": Path("a"), "b": Path("b")}, base=Path("parent"), free=free)
    return [finding for finding in result.findings if level is None or finding.level == level]


def change(name, *, drop=(), **tensors):
    path = f"{name}/model.safetensors"
    content = load_file(path) | {key.replace("__", "."): tensor for key, tensor in tensors.items()}
    save_file({key: tensor for key, tensor in content.items() if key not in drop}, path)


def configure(name, **fields):
    Path(name, "config.json").write_text(json.dumps(CONFIG | fields))


def tokenize(name, **sections):
    Path(name, "tokenizer.json").write_text(json.dumps(TOKENIZER | sections))


def plant_nan():
    weight = load_file("b/model.safetensors")["layer.weight"]
    weight[0, :3] = torch.tensor([torch.nan, torch.inf, -torch.inf])
    change("b", layer__weight=weight)


def plant_pickle():
    Path("b/model.safetensors").rename("b/pytorch_model.bin")


def plant_adapter():
    for file in Path("b").iterdir():
        file.unlink()
    Path("b/adapter_config.json").write_text(
        '{"base_model_name_or_path": "somebody/parent", "peft_type": "LORA", "lora_alpha": 8}'
    )
    save_file({"layer.lora_A.weight": torch.ones(2, 8)}, "b/adapter_model.safetensors")


VOCABULARY = {"type": "BPE", "vocab": {"a": 1, "b": 0, "ab": 2}, "merges": ["a b"]}
FAULTS = {
    "heads": (lambda: configure("b", num_attention_heads=4), "architecture", "`num_attention_heads` is 2 and 4"),
    "kind": (lambda: configure("b", model_type="t5"), "architecture", "`model_type` is 'bert' and 't5'"),
    "missing tensor": (lambda: change("b", drop=["layer.weight"]), "tensors", "b lacks the tensor 'layer.weight'"),
    "extra tensor": (lambda: change("b", head=torch.ones(3)), "tensors", "parent lacks the tensor 'head', which b has"),
    "shape": (lambda: change("b", layer__weight=torch.ones(8, 9)), "shapes", "[8, 8] (float32) in parent and [8, 9]"),
    "tied copy": (
        lambda: change("b", lm_head__weight=torch.ones(40, 8)),
        "tied tensors",
        "b stores 'lm_head.weight' with other values than 'embed_tokens.weight'",
    ),
    "whole numbers": (lambda: change("b", steps=torch.tensor([6])), "tensors", "'steps' holds whole numbers"),
    "nan": (plant_nan, "finite", "b/model.safetensors: 'layer.weight' has 3 values that are NaN or infinite"),
    "vocabulary": (lambda: tokenize("b", model=VOCABULARY), "tokenizer", "the vocabularies of parent ("),
    "added token": (
        lambda: tokenize("b", added_tokens=[{"id": 4, "content": "<pad>"}]),
        "added tokens",
        "the added token '<pad>' is number 3 in parent and 4 in b",
    ),
    "no tokenizer": (lambda: Path("b/tokenizer.json").unlink(), "tokenizer", "b has no tokenizer"),
    "many tokens": (lambda: configure("b", vocab_size=3), "tokenizer", "has 4 tokens, the model embeddings for 3"),
    "label order": (lambda: configure("b", id2label={"0": "yes", "1": "no"}), "label order", "in another order"),
    "labels": (
        lambda: configure("b", id2label={"0": "x", "1": "y"}),
        "labels",
        "parent has the labels no, yes, and b has x, y",
    ),
    "pickle": (plant_pickle, "files", "b holds its weights as pickles alone (pytorch_model.bin)"),
    "adapter": (plant_adapter, "files", "b: the factors of 'layer.weight' are not two matrices"),
    "truncated": (lambda: Path("b/model.safetensors").write_bytes(b"12345678"), "files", "is cut short or damaged"),
    "code": (lambda: configure("b", auto_map={"AutoModel": "x.Y"}), "files", "it names code to run"),
    "broken config": (
        lambda: Path("b/config.json").write_text("{"),
        "files",
        "b/config.json, line 1, column 2: broken",
    ),
    "broken tokenizer": (lambda: tokenize("b", model=[]), "files", "b/tokenizer.json is not a tokenizer"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_fault_is_refused_in_one_line(here, capsys, fault):
    plant, check, text = FAULTS[fault]
    plant()
    assert [(found.check, found.subject) for found in findings(level="refusal")] == [(check, "b")]
    assert text in findings(level="refusal")[0].text
    assert findings(level="refusal")[0].remedy
    assert main(["a", "b", "--base", "parent", "--json"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {check} of b: ")
    assert (error.count("\n"), text in error) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a", "./a/"], "./a/ and a are one folder: name each expert once"),
        (["a", "a"], "a is named twice"),
        (["a", "a/model.safetensors"], "a/model.safetensors and a are one folder"),
        (["a", "somebody/model"], "there is no folder somebody/model, and nothing is downloaded here: if it is a"),
        (["a", "nowhere"], "there is no folder nowhere: expected a model's folder"),
        (["a", "--base", "somebody/base"], "files of base: there is no folder somebody/base"),
    ],
)
def test_wrong_paths_are_one_line(here, capsys, arguments, message):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_adapter_without_a_base_is_refused_with_its_bases_name(here):
    plant_adapter()
    (refusal,) = preflight({"a": Path("a"), "b": Path("b")}, base=None, free=ROOM).of("refusal")
    assert refusal.text == "b is a LoRA adapter, which is read with its base model"
    assert refusal.remedy == "name that by --base somebody/parent (base=... in Python)"


def test_no_tokenizer_anywhere_is_one_refusal(here):
    for name in ("a", "b", "parent"):
        Path(name, "tokenizer.json").unlink()
    assert [(found.subject, found.text) for found in findings(level="refusal")] == [("all", "no model has a tokenizer")]


@pytest.mark.parametrize(
    ("free", "refused", "warned"),
    [
        (FreeSpace(10**3, 10**9), ["memory"], []),
        (FreeSpace(10**9, 10**3), ["disk"], []),
        (FreeSpace(4900, 1700), [], ["memory", "disk"]),  # three times 384 float32 and a whole number
        (FreeSpace(None, 10**9), [], []),
    ],
)
def test_memory_and_disk_are_compared_with_what_is_free(here, free, refused, warned):
    assert [finding.check for finding in findings(level="refusal", free=free)] == refused
    assert [finding.check for finding in findings(level="warning", free=free)] == warned


def test_free_space_is_measured_for_a_folder_to_come(tmp_path):
    free = free_space(tmp_path / "new" / "folder")
    assert free.disk > 0
    assert free.memory is None or free.memory > 0


def other_type():
    save_file({k: v.bfloat16() if v.is_floating_point() else v for k, v in load_file("b/model.safetensors").items()}, B)


B = "b/model.safetensors"
DOUBTS = {
    "another type": (other_type, "dtype", "b is bfloat16, parent float32"),
    "the base itself": (
        lambda: save_file(load_file("parent/model.safetensors"), B),
        "ancestor",
        "parent, its base model",
    ),
    "twice": (lambda: save_file(load_file("a/model.safetensors"), B), "ancestor", "weights as a, another expert"),
    "another origin": (
        lambda: save_file(noisy(load_file("parent/model.safetensors"), seed=7, scale=1.0), B),
        "ancestor",
        "like a model of another origin",
    ),
    "added token": (lambda: tokenize("b", added_tokens=[]), "added tokens", "only one has the added token '<pad>'"),
    "lower case": (lambda: tokenize("b", normalizer={"type": "Lowercase"}), "tokenizer", "normalize or split texts"),
}


@pytest.mark.parametrize("doubt", DOUBTS)
def test_doubt_is_a_warning_and_the_code_is_0(here, capsys, doubt):
    plant, check, text = DOUBTS[doubt]
    plant()
    (found,) = [finding for finding in findings() if finding.level != "ok"]
    assert (found.check, found.subject, found.level) == (check, "b", "warning")
    assert text in found.text
    assert found.remedy
    assert main(["a", "b", "--base", "parent"]) == 0
    assert "0 refusals, 1 warning, " in capsys.readouterr().out


def test_distances_and_cosines_are_those_of_task_vectors(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = {"parent": [3.0, 4.0, 0.0], "a": [3.0, 4.0, 0.3], "b": [3.0, 4.0, 0.4], "c": [3.0, 4.5, 0.0]}
    for name, row in rows.items():
        write(Path(name), tensors={"w": torch.tensor(row)})
    result = preflight({name: Path(name) for name in "abc"}, base=Path("parent"), free=ROOM)
    assert result.distances == pytest.approx({"a": 0.06, "b": 0.08, "c": 0.1}, rel=1e-6)
    assert result.cosines == pytest.approx({("a", "b"): 1.0, ("a", "c"): 0.0, ("b", "c"): 0.0}, abs=1e-6)
    assert {finding.level for finding in result.findings} == {"ok"}


def test_experts_without_a_base_are_compared_with_the_first(here):
    result = preflight({"a": Path("a"), "b": Path("b")}, base=None, free=ROOM)
    assert ({finding.level for finding in result.findings}, result.cosines) == ({"ok"}, {})
    assert result.distances["b"] == pytest.approx(0.02, rel=0.2)


def test_large_weights_are_neither_infinite_nor_far(here):
    for name in ("a", "b", "parent"):
        change(name, layer__weight=torch.full((8, 8), 1e30))
    assert {finding.level for finding in findings()} == {"ok"}


def test_json_has_findings_distances_and_cosines(here, capsys):
    assert main(["a", "b", "--base", "parent", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert {finding["level"] for finding in record["findings"]} == {"ok"}
    assert record["distances"].keys() == {"a", "b"}
    assert record["cosines"][0]["models"] == ["a", "b"]


def test_labels_of_experts_are_compared_if_the_base_has_none(here):
    configure("parent", id2label=None)
    configure("b", id2label={"0": "yes", "1": "no"})
    assert [finding.check for finding in findings(level="refusal")] == ["label order"]


def test_merges_and_settings_in_another_spelling_are_the_same(here):
    model = {"type": "BPE", "ignore_merges": False, "vocab": {"ab": 2, "b": 1, "a": 0}, "merges": [["a", "b"]]}
    tokenize("b", model=model, truncation={"max_length": 3}, padding={"length": 3})
    assert {finding.level for finding in findings()} == {"ok"}


@pytest.mark.parametrize(
    ("file", "mine", "theirs", "level"),
    [
        ("spiece.model", b"1", b"1", None),
        ("vocab.txt", b"a\nb", b"b\na", "refusal"),
        (
            "tokenizer_config.json",
            b'{"tokenizer_class": "ByT5Tokenizer"}',
            b'{"tokenizer_class": "ByT5Tokenizer"}',
            None,
        ),
        ("tokenizer_config.json", b'{"tokenizer_class": "BertTokenizer"}', b'{"tokenizer_class": "X"}', "refusal"),
    ],
)
def test_vocabularies_in_other_files_are_compared(here, file, mine, theirs, level):
    for name, content in {"parent": mine, "a": mine, "b": theirs}.items():
        Path(name, "tokenizer.json").unlink()
        Path(name, file).write_bytes(content)
    alarms = [finding for finding in findings() if finding.level != "ok"]
    assert [(finding.check, finding.level) for finding in alarms] == ([("tokenizer", level)] if level else [])


def test_vocabularies_of_different_formats_are_a_warning(here):
    Path("b/tokenizer.json").rename("b/vocab.txt")
    (found,) = [finding for finding in findings() if finding.level != "ok"]
    assert (found.level, found.subject) == ("warning", "b")
    assert "are in files of different formats" in found.text


def test_nan_in_a_tensor_that_does_not_fit_is_named_too(here):
    change("b", extra=torch.tensor([1.0, torch.nan]))
    assert [finding.check for finding in findings(level="refusal")] == ["tensors", "finite"]


def test_models_without_common_tensors_are_not_measured(here):
    save_file({"other": torch.ones(3)}, B)
    result = preflight({"a": Path("a"), "b": Path("b")}, base=Path("parent"), free=ROOM)
    assert (result.distances, result.cosines) == ({}, {})
    assert [finding.check for finding in result.of("warning")] == ["ancestor"]


def test_sound_models_need_neither_transformers_nor_a_table(here):
    code = (
        "import sys\nfrom dfwe.preflight import main\nassert main(['a', 'b', '--base', 'parent', '--json']) == 0\n"
        "assert not {'transformers', 'pytorch_lightning', 'hydra', 'rich'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


SMALL = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
ARCHITECTURES = {
    "t5": ("T5ForConditionalGeneration", {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}),
    "bart": (
        "BartForConditionalGeneration",
        {
            "d_model": 16,
            **{f"{side}_{name}": 2 for side in ("encoder", "decoder") for name in ("layers", "attention_heads")},
            **{f"{side}_ffn_dim": 32 for side in ("encoder", "decoder")},
        },
    ),
    "bert": ("BertForSequenceClassification", {**SMALL, "id2label": {0: "bad", 1: "good", 2: "neither"}}),
    "gpt2": ("GPT2LMHeadModel", {"n_embd": 16, "n_layer": 2, "n_head": 2}),
    "llama": ("LlamaForCausalLM", {**SMALL, "num_key_value_heads": 1}),
    "qwen2": ("Qwen2ForCausalLM", {**SMALL, "num_key_value_heads": 1}),
}


@pytest.mark.parametrize("form", ["one file", "shards", "bfloat16", "tied"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_sound_models_give_no_alarm(tmp_path, monkeypatch, architecture, form):
    monkeypatch.chdir(tmp_path)
    name, settings = ARCHITECTURES[architecture]
    ties = {"tie_word_embeddings": True} if form == "tied" else {}
    kind = getattr(transformers, name)
    config = kind.config_class(vocab_size=64, pad_token_id=0, bos_token_id=1, eos_token_id=2, **settings, **ties)
    torch.manual_seed(1)
    model = kind(config).to(torch.bfloat16 if form == "bfloat16" else torch.float32)
    for folder in ("parent", "a", "b"):
        model.save_pretrained(folder, max_shard_size="20KB" if form == "shards" else "1GB")
        Path(folder, "tokenizer.json").write_text(json.dumps(TOKENIZER))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.02 * parameter.std(correction=0) * torch.randn_like(parameter))
    assert Path("a/model.safetensors.index.json").exists() == (form == "shards")
    assert [str(finding) for finding in findings() if finding.level != "ok"] == []
