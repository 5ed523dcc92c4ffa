"""Vocabularies that differ by added tokens: rows move by token, the result's tokenizer has all of them."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from dfwe.combine import main
from dfwe.errors import MergeError
from dfwe.merging.files.merge_files import merge_files
from dfwe.merging.files.recipe import parse_recipe

PLAIN = {"<unk>": 0, "<s>": 1, "a": 2, "b": 3, "ab": 4}
ADDED = {"base": (), "a": ("<x>", "<y>"), "b": ("<y>", "<z>")}
PADDING = {"base": 3, "a": 0, "b": 1}  # rows without a token
EMBEDDINGS, OUTPUT = "model.embed_tokens.weight", "lm_head.weight"
UNION = ["<x>", "<y>", "<z>"]


def added(token, number):
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": number, "content": token, "special": token in ("<unk>", "<s>"), **flags}


def tokenizer(tokens):
    entries = [added(token, number) for token, number in [("<unk>", 0), ("<s>", 1)]]
    entries += [added(token, len(PLAIN) + number) for number, token in enumerate(tokens)]
    model = {"type": "BPE", "vocab": PLAIN, "merges": ["a b"], "unk_token": "<unk>"}
    return {"version": "1.0", "model": model, "added_tokens": entries, "normalizer": None, "pre_tokenizer": None}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Llamas in the folders base, a and b, with embeddings of their own for their own tokens."""
    monkeypatch.chdir(tmp_path)
    shape = {"hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    for seed, (name, tokens) in enumerate(ADDED.items()):
        torch.manual_seed(seed)
        vocab_size = len(PLAIN) + len(tokens) + PADDING[name]
        LlamaForCausalLM(LlamaConfig(vocab_size=vocab_size, bos_token_id=1, **shape)).save_pretrained(name)
        Path(name, "tokenizer.json").write_text(json.dumps(tokenizer(tokens)))
        settings = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>", "bos_token": "<s>"}
        Path(name, "tokenizer_config.json").write_text(json.dumps(settings))
    return tmp_path


def row(model, token, tensor):
    numbers = PLAIN | {entry: len(PLAIN) + number for number, entry in enumerate(ADDED[model])}
    return load_file(f"{model}/model.safetensors")[tensor][numbers[token]]


def merge(method, models, out="merged", **keys):
    entries = [{"model": model, "parameters": {"weight": weight}} for model, weight in models.items()]
    recipe = parse_recipe({"merge_method": method, "models": entries, "dtype": "float32", **keys}, where="recipe")
    merge_files(recipe, out=Path(out))
    return load_file(f"{out}/model.safetensors"), AutoTokenizer.from_pretrained(out)


@pytest.mark.parametrize("tensor", [EMBEDDINGS, OUTPUT])
def test_union_without_a_base_has_each_models_own_rows(here, tensor):
    merged, words = merge("linear", {"a": 0.75, "b": 0.25}, tokenizer_source="union")
    assert [words.convert_tokens_to_ids(token) for token in UNION] == [5, 6, 7]
    assert merged[tensor].shape == (8, 8)
    expected = {
        "ab": 0.75 * row("a", "ab", tensor) + 0.25 * row("b", "ab", tensor),
        "<x>": row("a", "<x>", tensor),
        "<y>": 0.75 * row("a", "<y>", tensor) + 0.25 * row("b", "<y>", tensor),
        "<z>": row("b", "<z>", tensor),
    }
    for token, value in expected.items():
        torch.testing.assert_close(merged[tensor][words.convert_tokens_to_ids(token)], value)


def test_row_that_the_base_lacks_is_the_mean_of_the_others(here):
    merged, words = merge("task_arithmetic", {"a": 0.6, "b": 0.3}, base_model="base", tokenizer_source="union")
    ours, theirs = (row(model, "<y>", EMBEDDINGS) for model in "ab")
    mean = (ours + theirs) / 2
    expected = mean + 0.6 * (ours - mean) + 0.3 * (theirs - mean)
    torch.testing.assert_close(merged[EMBEDDINGS][words.convert_tokens_to_ids("<y>")], expected)


def test_row_that_an_expert_lacks_is_the_bases(here):
    merged, words = merge("task_arithmetic", {"b": 0.5, "base": 0.9}, base_model="a", tokenizer_source="union")
    start, other = row("a", "<y>", EMBEDDINGS), row("b", "<y>", EMBEDDINGS)
    expected = start + 0.5 * (other - start)  # base has a's row, whose task vector is zero
    torch.testing.assert_close(merged[EMBEDDINGS][words.convert_tokens_to_ids("<y>")], expected)
    torch.testing.assert_close(merged[EMBEDDINGS][words.convert_tokens_to_ids("<x>")], row("a", "<x>", EMBEDDINGS))


@pytest.mark.parametrize("source", ["union", "base"])
def test_slices_have_each_models_own_rows(here, source):
    sources = [{"sources": [{"model": model, "layer_range": [0, 1]}]} for model in "ab"]
    content = {"merge_method": "passthrough", "slices": sources, "base_model": "a", "tokenizer_source": source}
    merge_files(parse_recipe(content, where="recipe"), out=Path("merged"))
    merged, tokens = load_file("merged/model.safetensors"), AutoTokenizer.from_pretrained("merged").get_vocab()
    assert set(tokens) == {*PLAIN, "<x>", "<y>", *(["<z>"] if source == "union" else [])}
    assert torch.equal(merged[EMBEDDINGS][tokens["<x>"]], row("a", "<x>", EMBEDDINGS))
    assert torch.equal(merged[OUTPUT][tokens["<y>"]], row("b", "<y>", OUTPUT))
    assert torch.equal(merged[OUTPUT][tokens["<x>"]], row("a", "<x>", OUTPUT))  # the base's, as b lacks it
    AutoModelForCausalLM.from_pretrained("merged")


def test_base_keeps_the_bases_tokens_alone(here):
    keys = {"base_model": "base", "tokenizer": {"source": "base"}}
    merged, words = merge("task_arithmetic", {"a": 0.6, "b": 0.3}, **keys)
    assert (merged[EMBEDDINGS].shape, len(words)) == ((5, 8), 5)
    LlamaForCausalLM.from_pretrained("merged")


def test_result_loads_and_reads_added_tokens(here):
    assert main(["linear", "b", "a", "--tokenizer", "union", "--out", "merged"]) == 0
    words, model = AutoTokenizer.from_pretrained("merged"), LlamaForCausalLM.from_pretrained("merged")
    assert words("ab<x><z>", add_special_tokens=False)["input_ids"] == [4, 7, 6]
    assert model.config.vocab_size == len(words) == 8


def test_tied_embeddings_are_aligned_too(here):
    for name in ADDED:
        tensors = load_file(f"{name}/model.safetensors")
        del tensors[OUTPUT]
        save_file(tensors, f"{name}/model.safetensors", metadata={"format": "pt"})
        config = json.loads(Path(name, "config.json").read_text()) | {"tie_word_embeddings": True}
        Path(name, "config.json").write_text(json.dumps(config))
    merged, _ = merge("linear", {"a": 0.5, "b": 0.5}, tokenizer_source="union")
    assert (merged[EMBEDDINGS].shape, OUTPUT in merged) == ((8, 8), False)


def change_vocabulary():
    content = tokenizer(ADDED["b"])
    content["model"] = content["model"] | {"vocab": {"<unk>": 0, "<s>": 1, "b": 2, "a": 3, "ab": 4}}
    Path("b/tokenizer.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("plant", "message"),
    [
        (change_vocabulary, "b/tokenizer.json and a/tokenizer.json differ by more than added tokens"),
        (lambda: Path("b/tokenizer.json").unlink(), "b holds no tokenizer.json: vocabularies are aligned by it"),
        (
            lambda: Path("b/tokenizer.json").write_text(json.dumps(tokenizer("wxyz"))),
            "'lm_head.weight' has 8 rows, its tokenizer 9 tokens",
        ),
        (lambda: Path("b/tokenizer.json").write_text('{"model": {}}'), "b/tokenizer.json is not a tokenizer"),
    ],
)
def test_tokenizers_that_cannot_be_aligned_are_refused(here, plant, message):
    plant()
    with pytest.raises(MergeError, match=message):
        merge("linear", {"a": 0.5, "b": 0.5}, tokenizer_source="union")
    assert not Path("merged").exists()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"tokenizer_source": "./a"}, "recipe: `tokenizer_source` must be union or base, not './a'"),
        ({"tokenizer": {"source": "union", "tokens": {}}}, "`tokenizer` must have `source` alone"),
        ({"tokenizer": {"source": "union"}, "tokenizer_source": "base"}, "has both `tokenizer_source` and `tokenizer`"),
        ({"chat_template": "nobody"}, "`chat_template: nobody` is unknown: expected auto, chatml, llama3, or the text"),
        ({"chat_template": 3}, "`chat_template` must be auto, a name or a text, not 3"),
    ],
)
def test_wrong_keys_are_refused(here, keys, message):
    with pytest.raises(MergeError, match=message):
        merge("linear", {"a": 0.5, "b": 0.5}, **keys)


def renamed(old, new):
    """Give the embeddings of both models another name."""
    for name in ("a", "b"):
        path = Path(name, "model.safetensors")
        tensors = load_file(path)
        tensors[new] = tensors.pop(old)
        save_file(tensors, path, metadata={"format": "pt"})


def test_embeddings_of_gpt_neox_are_aligned(here):
    name, expected = "gpt_neox.embed_in.weight", row("a", "<x>", EMBEDDINGS)
    renamed(EMBEDDINGS, name)
    entries = [{"model": model, "parameters": {"weight": 0.5}} for model in ("a", "b")]
    recipe = {"merge_method": "linear", "models": entries, "tokenizer_source": "union"}
    merge_files(parse_recipe(recipe, where="recipe"), out=Path("merged"))
    merged = load_file("merged/model.safetensors")
    assert len(merged[name]) == len(merged[OUTPUT])
    assert torch.allclose(merged[name][len(PLAIN) + ADDED["a"].index("<x>")], expected)


def test_models_without_known_embeddings_are_not_aligned(here):
    renamed(EMBEDDINGS, "model.letters.weight")
    with pytest.raises(MergeError, match="none of its tensors is known as the embeddings of tokens"):
        merge("linear", {"a": 0.5, "b": 0.5}, tokenizer_source="union")


def test_option_of_a_command_with_a_recipe_is_refused(here, capsys):
    Path("recipe.yaml").write_text("merge_method: linear")
    assert main(["recipe.yaml", "merged", "--tokenizer", "union"]) == 2
    assert "--tokenizer is for a merge without a recipe" in capsys.readouterr().err


TURNS = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Yes?"}]


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("auto", "B"),
        ("{{ messages[0]['content'] }}!", "Hello!"),
        ("chatml", "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\nYes?<|im_end|>\n"),
        (
            "llama3",
            "<s><|start_header_id|>user<|end_header_id|>\n\nHello<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\nYes?<|eot_id|>",
        ),
    ],
)
def test_chat_template_is_written(here, template, text):
    Path("a/chat_template.jinja").write_text("A")
    settings = json.loads(Path("b/tokenizer_config.json").read_text()) | {"chat_template": "B"}
    for name in ("b", "base"):  # two have it
        Path(name, "tokenizer_config.json").write_text(json.dumps(settings))
    models = {"a": 0.3, "b": 0.3, "base": 0.4}
    _, words = merge("linear", models, tokenizer_source="union", chat_template=template)
    assert words.apply_chat_template(TURNS, tokenize=False) == text


def test_template_without_a_tokenizer_is_a_warning(here, caplog):
    for name in ("a", "b"):
        for file in Path(name).glob("tokenizer*"):
            file.unlink()
    Path("b/model.safetensors").write_bytes(Path("a/model.safetensors").read_bytes())
    models = [{"model": name, "parameters": {"weight": 0.5}} for name in "ab"]
    recipe = {"merge_method": "linear", "models": models, "chat_template": "chatml"}
    merge_files(parse_recipe(recipe, where="recipe"), out=Path("merged"))
    assert "the base model has no tokenizer: the recipe's chat_template is not written" in caplog.text
