"""Experts from elsewhere are checked before a study loads one: planted faults end it, sound sets do not."""

import json
import logging
import shutil
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification, LlamaForCausalLM

from dfwe.config.compose import compose_study
from dfwe.families.causal_lm.weights import FreshLlama
from dfwe.families.encoder.weights import FreshBert
from dfwe.merging.files import preflight as checks
from dfwe.merging.files.preflight import preflight
from dfwe.merging.files.resources import FreeSpace
from dfwe.process.exit import exit_code
from dfwe.run_study import run_study
from dfwe.studies.expert_checks import findings_of
from dfwe.studies.plan import load_plan

LABELS = ["anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise"]
TEXTS = ["I feel glad.", "That makes me furious.", "What is the emotion of the last line?"]
SHAPE = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
SHORT = ["+target=meld", "merge.search.budget=2", "report=false", "trainer.threads=1", "diagnostics=[]"]
LORA = {"peft_type": "LORA", "lora_alpha": 4, "r": 2}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with decoders (base, a, b) and classifiers (encoder, c, d), which each test gets a copy of."""
    folder = tmp_path_factory.mktemp("models")
    FreshLlama(300, {**SHAPE, "num_key_value_heads": 1}).build(folder / "base", seed=0, texts=TEXTS)
    FreshBert(300, SHAPE).build(folder / "encoder", seed=0, texts=TEXTS)
    config = BertConfig.from_pretrained(folder / "encoder", id2label=dict(enumerate(LABELS)), num_labels=len(LABELS))
    torch.manual_seed(0)
    BertForSequenceClassification(config).save_pretrained(folder / "network")
    for start, kind, names in (("base", LlamaForCausalLM, "ab"), ("network", BertForSequenceClassification, "cd")):
        tokenizer = AutoTokenizer.from_pretrained(folder / ("base" if start == "base" else "encoder"))
        for seed, name in enumerate(names):
            torch.manual_seed(seed + 1)
            model = kind.from_pretrained(folder / start)
            for parameter in model.parameters():
                parameter.data += 0.02 * parameter.data.std(correction=0) * torch.randn_like(parameter)
            model.save_pretrained(folder / name)
            tokenizer.save_pretrained(folder / name)
    return folder


@pytest.fixture
def here(models, tmp_path, monkeypatch):
    """The folder of the models, where commands are called."""
    shutil.copytree(models, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def arguments(*more, small, experts="a,b", base="base"):
    data = [override for override in small if override.startswith("data.")]
    return [*SHORT, *data, f"experts=[{experts}]", *([f"base_model={base}"] if base else []), *more]


def run(*more, small, **models):
    """The exit code of a study in the folder `out` with the store `store`."""
    overrides = arguments("paths.store=store", *more, small=small, **models)
    return exit_code(lambda: run_study(compose_study(overrides), folder=Path("out")))


def change(name, **tensors):
    path = f"{name}/model.safetensors"
    content = load_file(path) | {key.replace("__", "."): tensor for key, tensor in tensors.items()}
    save_file({key: tensor for key, tensor in content.items() if tensor is not None}, path, metadata={"format": "pt"})


def configure(name, **fields):
    path = Path(name, "config.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def adapter(*, width, base=None):
    """A LoRA in the folder `lora`, for an attention of that width."""
    Path("lora").mkdir()
    Path("lora/adapter_config.json").write_text(json.dumps(LORA | {"base_model_name_or_path": base}))
    factors = {"A": torch.ones(2, width), "B": torch.ones(16, 2)}
    module = "base_model.model.model.layers.0.self_attn.q_proj"
    save_file(
        {f"{module}.lora_{side}.weight": factor for side, factor in factors.items()}, "lora/adapter_model.safetensors"
    )


def vocabulary():
    content = json.loads(Path("b/tokenizer.json").read_text())
    vocab = content["model"]["vocab"]
    first, second = list(vocab)[-2:]
    vocab[first], vocab[second] = vocab[second], vocab[first]
    Path("b/tokenizer.json").write_text(json.dumps(content))


def another_base():
    shutil.copytree("a", "other")
    adapter(width=16, base="other")


NORM = "model__norm__weight"
CLASSIFIERS = {"experts": "c,d", "base": None}
FAULTS = {
    "architecture": (lambda: configure("b", rms_norm_eps=0.1), {}, "`rms_norm_eps` is"),
    "missing tensor": (lambda: change("b", **{NORM: None}), {}, "b lacks the tensor 'model.norm.weight'"),
    "extra tensor": (lambda: change("b", extra=torch.ones(3)), {}, "base lacks the tensor 'extra', which b has"),
    "nan": (lambda: change("b", **{NORM: torch.full((16,), torch.nan)}), {}, "'model.norm.weight' has 16 values"),
    "lora": (lambda: adapter(width=8), {"experts": "a,lora"}, "make [16, 8], base has [16, 16] there"),
    "lora's base": (another_base, {"experts": "a,lora"}, "is a LoRA adapter of other, which has other weights than"),
    "vocabulary": (vocabulary, {}, "the vocabularies of base ("),
    "labels": (
        lambda: [configure(name, id2label=dict(enumerate("abcdefg"))) for name in "cd"],
        CLASSIFIERS,
        "has the labels a, b, c, d, e, f, g, the target has anger",
    ),
    "one folder twice": (lambda: None, {"experts": "a,./a/"}, "two experts are the same: a, ./a/"),
    "one folder's two names": (lambda: None, {"experts": "a,base/../a"}, "base-a and a are one folder"),
    "pickle": (
        lambda: Path("b/model.safetensors").rename("b/pytorch_model.bin"),
        {},
        "b holds its weights as pickles alone",
    ),
    "hub": (lambda: None, {"experts": "a,somebody/model"}, "cannot load 'somebody/model'"),
    "no tokenizer": (lambda: [path.unlink() for path in Path("base").glob("tok*")], {}, "base holds no tokenizer"),
    "no chat template": (lambda: None, {"more": "model.family.chat_template=true"}, "has no chat template"),
}


def is_untouched():
    """Whether the study has left neither results nor anything in its store."""
    return not list(Path("store").rglob("*.*")) and not list(Path("out").rglob("*"))


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_fault_ends_a_study_in_one_line(here, capsys, small_overrides, fault):
    plant, models, text = FAULTS[fault]
    plant()
    more = [models["more"]] if "more" in models else []
    assert run(*more, small=small_overrides, **{k: v for k, v in models.items() if k != "more"}) == 2
    error = capsys.readouterr().err
    assert text in error
    assert (error.count("\n"), error.startswith("error: ")) == (1, True), error
    assert is_untouched()


@pytest.mark.parametrize(("free", "check"), [(FreeSpace(10, 10**9), "memory"), (FreeSpace(10**9, 10), "disk")])
def test_too_little_room_ends_a_study_in_one_line(here, capsys, monkeypatch, small_overrides, free, check):
    monkeypatch.setattr(checks, "free_space", lambda folder: free)
    assert run(small=small_overrides) == 2
    assert capsys.readouterr().err.startswith(f"error: {check} of all: the experts")
    assert is_untouched()


def test_a_study_can_go_without_the_check(here, capsys, monkeypatch, small_overrides):
    monkeypatch.setattr(checks, "free_space", lambda folder: FreeSpace(10, 10))
    assert run("preflight=false", "stages.until=train", small=small_overrides) == 0


def test_commands_end_with_code_2_before_they_write_results(here, run_module, small_overrides):
    change("b", extra=torch.ones(3))
    rows = "".join(f"text {number},{'joy' if number % 2 else 'fear'}\n" for number in range(60))
    Path("dev.csv").write_text(f"text,label\n{rows}")
    study = run_module("dfwe.run", *arguments("paths.store=store", "hydra.run.dir=out", small=small_overrides))
    models = ["--models", "a", "b", "--base", "base", "--data", "dev.csv", "--text", "text", "--label", "label"]
    search = run_module("dfwe", "search", *models, "--out", "out2", "--set", "paths.store=store")
    for done in (study, search):
        assert done.returncode == 2, done.stderr
        assert done.stderr.count("\n") == 1
        assert "error: tensors of b: base lacks the tensor 'extra', which b has" in done.stderr
    assert not list(Path("store").rglob("card.json"))
    assert not [*Path("out").rglob("results.json"), *Path("out2").rglob("results.json")]


def test_warnings_and_what_is_not_checked_are_shown(here, caplog, small_overrides):
    torch.save({"state_dict": load_file("a/model.safetensors")}, "a.ckpt")
    change("b", **{name.replace(".", "__"): 3 * tensor for name, tensor in load_file("b/model.safetensors").items()})
    overrides = arguments("paths.store=store", small=small_overrides, experts="a.ckpt,b,somebody/c")
    plan = load_plan(compose_study(overrides))
    result = findings_of(plan.experts, base=plan.base, parent=plan.parent, family=plan.family)
    assert [finding.subject for finding in result.of("unchecked")] == ["a", "c"]
    del plan.experts["c"]
    with caplog.at_level(logging.INFO):
        plan.check_models()
    assert "preflight: ancestor of b: b is 2 of the norm away" in caplog.text
    assert "preflight: files of a: a.ckpt is a checkpoint of Lightning's: its weights are checked as" in caplog.text


def test_labels_in_another_order_are_no_refusal_in_a_study(here, small_overrides):
    configure("d", id2label=dict(enumerate(reversed(LABELS))), label2id={})
    plan = load_plan(compose_study(arguments("paths.store=store", small=small_overrides, **CLASSIFIERS)))
    plan.check_models()
    result = findings_of(plan.experts, base=None, parent=plan.parent, family=plan.family)
    assert "which the study puts into one order" in next(f.text for f in result.findings if f.check == "labels")


FORMS = ("one file", "shards", "bfloat16", "lora", "safetensors file")
ATTENTION = {
    "T5ForConditionalGeneration": "decoder.block.0.layer.0.SelfAttention.q",
    "BartForConditionalGeneration": "model.encoder.layers.0.self_attn.q_proj",
    "BertForSequenceClassification": "bert.encoder.layer.0.attention.self.query",
    "GPT2LMHeadModel": "transformer.h.0.attn.c_attn",
    "LlamaForCausalLM": "model.layers.0.self_attn.q_proj",
    "Qwen2ForCausalLM": "model.layers.0.self_attn.q_proj",
}
BART = {f"{side}_{name}": 2 for side in ("encoder", "decoder") for name in ("layers", "attention_heads", "ffn_dim")}
SHAPES = {
    "T5ForConditionalGeneration": {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2},
    "BartForConditionalGeneration": {"d_model": 16, **BART},
    "BertForSequenceClassification": {**SHAPE, "id2label": {0: "bad", 1: "good", 2: "neither"}},
    "GPT2LMHeadModel": {"n_embd": 16, "n_layer": 1, "n_head": 2},
    "LlamaForCausalLM": {**SHAPE, "num_key_value_heads": 1},
    "Qwen2ForCausalLM": {**SHAPE, "num_key_value_heads": 1, "tie_word_embeddings": True},
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", SHAPES)
def test_sound_set_gives_no_alarm(tmp_path, monkeypatch, kind, form):
    monkeypatch.chdir(tmp_path)
    cls = getattr(transformers, kind)
    config = cls.config_class(vocab_size=64, pad_token_id=0, bos_token_id=1, eos_token_id=2, **SHAPES[kind])
    torch.manual_seed(1)
    model = cls(config).to(torch.bfloat16 if form == "bfloat16" else torch.float32)
    tokenizer = {"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}, "added_tokens": []}
    for folder in ("base", "a", "b"):
        model.save_pretrained(folder, max_shard_size="10KB" if form == "shards" else "1GB")
        Path(folder, "tokenizer.json").write_text(json.dumps(tokenizer))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.02 * parameter.std(correction=0) * torch.randn_like(parameter))
    expert = Path("b")
    if form == "safetensors file":
        tensors = load_file("b/model.safetensors")
        expert = Path("b.safetensors")
        save_file({f"network.{name}": tensor for name, tensor in tensors.items()}, expert)
    elif form == "lora":
        shutil.rmtree("b")
        Path("b").mkdir()
        _write_lora(model, kind=kind)
    result = preflight({"a": Path("a"), "b": expert}, base=Path("base"), free=FreeSpace(10**9, 10**9), is_study=True)
    assert [str(finding) for finding in result.findings if finding.level != "ok"] == []
    assert 0 < result.distances["b"] < 0.5


def _write_lora(model, *, kind):
    module = ATTENTION[kind]
    weight = model.get_submodule(module).weight
    rows, columns = weight.shape
    is_turned = kind == "GPT2LMHeadModel"
    if is_turned:
        rows, columns = columns, rows
    Path("b/adapter_config.json").write_text(json.dumps(LORA | {"fan_in_fan_out": is_turned}))
    factors = {"A": torch.full((2, columns), 0.01), "B": torch.full((rows, 2), 0.01)}
    save_file(
        {f"base_model.model.{module}.lora_{side}.weight": factor for side, factor in factors.items()},
        "b/adapter_model.safetensors",
    )
