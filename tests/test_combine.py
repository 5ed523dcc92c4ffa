"""From files to a folder, by a recipe."""

import errno
import json
import os
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from dfwe.combine import main
from dfwe.merging.files.recipe_of_method import recipe_of_method


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, value in {"a": 1.0, "b": 3.0, "base": 2.0}.items():
        folder = Path(name)
        folder.mkdir()
        tensors = {"x.w": torch.full((2, 3), value), "y.w": torch.full((4,), 10 * value), "steps": torch.tensor([5])}
        save_file(tensors, folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps({"dtype": "float32", "_name_or_path": name}))
    return tmp_path


def recipe(**changes):
    models = [{"model": "a", "parameters": {"weight": 1.0}}, {"model": "b", "parameters": {"weight": 3.0}}]
    content = {"merge_method": "linear", "models": models, **changes}
    Path("recipe.yaml").write_text(yaml.safe_dump({key: value for key, value in content.items() if value is not None}))
    return main(["recipe.yaml", "out"])


def merged(name="x.w"):
    return load_file("out/model.safetensors")[name].unique().tolist()


def test_combine_linear_normalises_weights_by_default(here):
    assert recipe() == 0
    assert (merged(), merged("steps")) == ([2.5], [5])
    Path("out").rename("first")
    assert recipe(parameters={"normalize": False}) == 0
    assert merged() == [10.0]


def test_combine_task_arithmetic_starts_from_the_base(here):
    assert recipe(merge_method="task_arithmetic", base_model="base", parameters={"lambda": 0.5}) == 0
    assert merged() == [2.0 + 0.5 * (-1.0 + 3.0)]
    assert Path("out/config.json").read_text() == Path("base/config.json").read_text()


def test_combine_base_among_models_is_not_an_expert(here):
    models = [{"model": "base"}, {"model": "b", "parameters": {"weight": 1.0}}]
    assert recipe(merge_method="task_arithmetic", base_model="base", models=models) == 0
    assert merged() == [3.0]


def test_combine_slerp_goes_from_the_base_to_the_other(here):
    save_file({"w": torch.tensor([1.0, 0.0])}, "a/model.safetensors")
    save_file({"w": torch.tensor([0.0, 1.0])}, "b/model.safetensors")
    models = [{"model": "b"}, {"model": "a"}]
    assert recipe(merge_method="slerp", base_model="a", models=models, parameters={"t": 1 / 3}) == 0
    torch.testing.assert_close(load_file("out/model.safetensors")["w"], torch.tensor([3**0.5 / 2, 0.5]))


def test_combine_parameter_depends_on_the_tensors_name(here):
    by_name = [{"filter": "x.", "value": 0.0}, {"value": 3.0}]
    models = [{"model": "a", "parameters": {"weight": 1.0}}, {"model": "b", "parameters": {"weight": by_name}}]
    assert recipe(models=models) == 0
    assert (merged("x.w"), merged("y.w")) == ([1.0], [25.0])


def test_combine_parameter_list_spans_the_layers(here):
    for name, value in {"a": 1.0, "b": 3.0}.items():
        layers = {f"enc.{layer}.w": torch.full((2,), value) for layer in range(3)}
        save_file({**layers, "head": torch.full((2,), value)}, f"{name}/model.safetensors")
    models = [{"model": "a", "parameters": {"weight": 1.0}}, {"model": "b", "parameters": {"weight": [0.0, 1.0]}}]
    assert recipe(models=models, parameters={"normalize": False}) == 0
    assert [merged(f"enc.{layer}.w")[0] for layer in range(3)] == [1.0, 2.5, 4.0]
    assert merged("head") == [1.0]


def test_combine_shared_weight_is_the_default(here):
    models = [{"model": "a"}, {"model": "b", "parameters": {"weight": {"filter": "x.", "value": "3e-0"}}}]
    assert recipe(models=models, parameters={"weight": 1}) == 0
    assert (merged("x.w"), merged("y.w")) == ([2.5], [20.0])


def test_combine_linear_counts_the_base_as_a_model(here):
    assert recipe(models=[{"model": "a"}, {"model": "b"}], base_model="base", parameters={"weight": 1}) == 0
    assert merged() == [2.0]
    assert recipe(base_model="base") == 2  # as mergekit: it needs a weight, too


def test_combine_task_arithmetic_ignores_the_bases_weight(here):
    models = [{"model": name, "parameters": {"weight": 2.0}} for name in ("base", "b")]
    settings = {"normalize": True}
    assert recipe(merge_method="task_arithmetic", base_model="base", models=models, parameters=settings) == 0
    assert merged() == [3.0]


@pytest.mark.parametrize("block", [1, 4, 5, 1000])
def test_combine_merge_in_blocks_is_the_same(here, monkeypatch, block):
    monkeypatch.setattr("dfwe.merging.engine.BLOCK", block)
    for name in ("a", "b"):
        tensors = {"w": torch.randn(3, 5, generator=torch.Generator().manual_seed(ord(name))), "none": torch.zeros(0)}
        save_file(tensors, f"{name}/model.safetensors")
    assert recipe() == 0
    first, second = (load_file(f"{name}/model.safetensors")["w"] for name in ("a", "b"))
    assert torch.equal(load_file("out/model.safetensors")["w"], (0.25 * first).add(second, alpha=0.75))


def test_combine_result_has_the_recipes_type(here):
    assert recipe(dtype="float32", out_dtype="bfloat16") == 0
    assert load_file("out/model.safetensors")["x.w"].dtype == torch.bfloat16
    assert '"dtype": "bfloat16"' in Path("out/config.json").read_text()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"merge_method": "magic"}, "unknown merge_method 'magic', from files dfwe knows "),
        ({"merge_method": "ties"}, "ties needs the experts' common parent"),
        ({"slices": []}, "has both `models` and `slices`: leave one of them out"),
        ({"slices": [], "models": None}, "`slices` must be a list of entries with `sources`"),
        (
            {"merge_method": "passthrough", "models": [{"model": "a"}, {"model": "b"}]},
            "passthrough copies one model, not 2",
        ),
        ({"models": "a"}, "needs `models`, a list"),
        ({"models": [{"model": "a"}]}, "every model needs a `weight`, the recipe gives 0 of 1"),
        ({"models": [{"model": "nowhere", "parameters": {"weight": 1}}]}, "there is no folder nowhere"),
        ({"parameters": {"density": 0.5}}, "linear has no parameter 'density': it has normalize"),
        ({"merge_method": "task_arithmetic"}, "needs the experts' common parent"),
        ({"merge_method": "slerp"}, "name it"),
        ({"dtype": "int4"}, "unknown dtype 'int4'"),
        ({"parameters": {"normalize": [0.1, 0.2]}}, "linear: `normalize` must be true or false, not 0.1"),
        (
            {"parameters": {"normalize": [{"worth": 1}]}},
            "`normalize`: a list must have numbers, or entries with `value`",
        ),
        ({"parameters": {"weight": float("nan")}}, "`weight` must be a number, true or false, not nan"),
        ({"models": [{"model": "a", "parameters": {"weight": "heavy"}}]}, "the weight of 'a' must be a number"),
        ({"models": [{"model": "a", "parameters": {"weight": True}}]}, "a `weight` must be a number, not true"),
        ({"models": [{"model": "a"}, {"model": "a"}]}, "model 'a': it is listed twice"),
        (
            {"models": [{"model": "a", "parameters": {"weight": 1, "density": 0.5}}]},
            "`density` of one model alone is not merged here, only its `weight`",
        ),
        ({"models": [{"model": "a"}, {"model": "./a/"}]}, "model './a/': it is listed twice, first as 'a'"),
        ({"models": [{"model": {"model": "a", "lora": "b"}}]}, "adapters and revisions are not merged here yet"),
        ({"models": [{"model": "a+b"}], "parameters": {"weight": 1}}, "b holds no adapter_config.json"),
        ({"models": [{"model": "own/model"}], "parameters": {"weight": 1}}, "nothing is downloaded here"),
        ({"models": [{"model": "a", "parameters": [1]}]}, "model 'a': `parameters` must be names and values, not [1]"),
        ({"models": []}, "names no model to merge"),
        ({"base_model": 3}, "`base_model` must be a folder, not 3"),
        ({"models": [{"model": "a"}], "merge_method": "slerp", "base_model": "a"}, "slerp merges 2 models, not 1"),
        ({"merge_method": None}, "unknown merge_method 'None'"),
    ],
)
def test_combine_wrong_recipe_is_one_line_and_leaves_nothing(here, capsys, changes, message):
    assert recipe(**changes) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert not list(here.glob("out*"))


def test_combine_existing_folder_is_left_alone(here, capsys):
    Path("out").mkdir()
    assert recipe() == 2
    assert "out exists" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"x.w": torch.zeros(2, 3), "steps": torch.tensor([5])}, "b lacks the tensor 'y.w'"),
        (
            {"x.w": torch.zeros(3, 2), "y.w": torch.zeros(4), "steps": torch.tensor([5])},
            "'x.w' has shape [2, 3] (float32) in a",
        ),
        (
            {"x.w": torch.full((2, 3), torch.nan), "y.w": torch.zeros(4), "steps": torch.tensor([5])},
            "b/model.safetensors: 'x.w' has 6 values that are NaN",
        ),
        ({"x.w": torch.zeros(2, 3), "y.w": torch.zeros(4), "steps": torch.tensor([6])}, "'steps' holds whole numbers"),
        (
            {"x.w": torch.zeros(2, 3), "y.w": torch.zeros(4), "steps": torch.tensor([5.0])},
            "'steps' has shape [1] (int64) in a and [1] (float32) in b",
        ),
    ],
)
def test_combine_misfit_models_are_named_and_nothing_is_left(here, capsys, tensors, message):
    save_file(tensors, "b/model.safetensors")
    assert recipe() == 2
    assert message in capsys.readouterr().err
    assert not list(here.glob("out*"))


def test_combine_disk_without_room_is_an_error_at_the_start(here, capsys, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 10})())
    assert recipe() == 2
    assert "has 0.00 GB left" in capsys.readouterr().err
    assert not list(here.glob("out*"))


def test_combine_disk_that_fills_while_writing_leaves_nothing(here, capsys, monkeypatch):
    def full(descriptor, data, position):
        if position == 0:
            return pwrite(descriptor, data, position)
        raise OSError(errno.ENOSPC, "No space left on device")

    pwrite = os.pwrite
    monkeypatch.setattr("os.pwrite", full)
    assert recipe() == 2
    assert capsys.readouterr().err.startswith("error: the disk is full at out: make room there")
    assert not list(here.glob("out*"))


def test_combine_impossible_folder_is_one_line(here, capsys):
    assert recipe() == 0
    assert main(["recipe.yaml", "recipe.yaml/out"]) == 2
    assert capsys.readouterr().err.startswith("error: recipe.yaml cannot be written: there is a file where a folder")


@pytest.mark.parametrize(("dtype", "weight"), [("float16", 1e5), ("float32", 1e38)])
def test_combine_overflow_of_the_type_is_an_error(here, capsys, dtype, weight):
    models = [{"model": "b", "parameters": {"weight": weight}}]
    assert recipe(models=models, dtype=dtype, parameters={"normalize": False}) == 2
    assert f"has values too large for {dtype}" in capsys.readouterr().err
    assert not list(here.glob("out*"))


def test_combine_users_files_beside_the_folder_stay(here):
    (here / "out.partial").mkdir()
    (here / "out.partial" / "thesis.tex").touch()
    assert recipe() == 0
    assert (here / "out.partial" / "thesis.tex").exists()
    assert not [path.name for path in here.iterdir() if path.name.endswith(".tmp")]


def store(name, **values):
    save_file({key: value.contiguous() for key, value in values.items()}, f"{name}/model.safetensors")


def configure(name, **fields):
    Path(f"{name}/config.json").write_text(json.dumps({"model_type": "llama", **fields}))


HALF, BRAIN, FULL, DOUBLE = torch.float16, torch.bfloat16, torch.float32, torch.float64


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [(HALF, BRAIN, FULL), (BRAIN, HALF, FULL), (BRAIN, BRAIN, BRAIN), (FULL, BRAIN, FULL), (DOUBLE, FULL, DOUBLE)],
)
def test_combine_mixed_types_are_promoted(here, first, second, expected):
    values = torch.tensor([1.0 + 2**-7, 0.1])
    store("a", w=values.to(first))
    store("b", w=values.to(second))
    assert recipe() == 0
    merged = load_file("out/model.safetensors")["w"]
    a, b = values.to(first).to(expected), values.to(second).to(expected)
    assert merged.dtype == expected
    torch.testing.assert_close(merged, 0.25 * a + 0.75 * b)
    assert json.loads(Path("out/config.json").read_text())["dtype"] == str(expected).removeprefix("torch.")


def test_combine_base_type_is_promoted_too(here):
    for name, dtype in (("base", FULL), ("a", BRAIN), ("b", BRAIN)):
        store(name, w=torch.tensor([2.0], dtype=dtype))
    assert recipe(merge_method="task_arithmetic", base_model="base") == 0
    assert load_file("out/model.safetensors")["w"].dtype == FULL


def test_combine_doubles_are_summed_as_doubles(here):
    store("a", w=torch.tensor([1.0 + 2.0**-40], dtype=DOUBLE))
    store("b", w=torch.tensor([1.0 + 2.0**-40], dtype=DOUBLE))
    for out in ("linear", "ties"):  # in blocks, and whole tensors
        store("base", w=torch.tensor([0.0], dtype=DOUBLE))
        assert recipe(merge_method=out, base_model="base" if out == "ties" else None) == 0
        assert load_file("out/model.safetensors")["w"].item() == 1.0 + 2.0**-40
        Path("out").rename(out)


def test_combine_config_without_dtype_names_the_type(here):
    Path("a/config.json").write_text('{"torch_dtype": "float16", "decoder": {"dtype": "float16"}}')
    assert recipe(dtype="bf16") == 0
    expected = {"torch_dtype": "bfloat16", "decoder": {"dtype": "bfloat16"}}
    assert json.loads(Path("out/config.json").read_text()) == expected
    Path("out").rename("first")
    Path("a/config.json").write_text("{}")
    assert recipe(dtype="torch.bfloat16") == 0
    assert json.loads(Path("out/config.json").read_text()) == {"dtype": "bfloat16"}


def test_combine_mixed_types_of_a_model_stay_with_a_warning(here, caplog):
    for name in ("a", "b"):
        store(name, w=torch.ones(8, dtype=BRAIN), norm=torch.ones(2, dtype=FULL))
    assert recipe() == 0
    merged = load_file("out/model.safetensors")
    assert (merged["w"].dtype, merged["norm"].dtype) == (BRAIN, FULL)
    assert json.loads(Path("out/config.json").read_text())["dtype"] == "bfloat16"
    assert "names bfloat16, the type of most numbers; 1 of 2 tensors have another" in caplog.text


@pytest.mark.parametrize("spelling", ["./base", "base/", "base/model.safetensors", "a/../base", "{here}/base"])
def test_combine_one_folder_in_two_spellings_is_one_model(here, spelling):
    models = [{"model": spelling.format(here=here)}, {"model": "b", "parameters": {"weight": 1.0}}]
    assert recipe(merge_method="task_arithmetic", base_model="base", models=models) == 0
    assert merged() == [3.0]


@pytest.mark.parametrize(
    ("mine", "theirs", "message"),
    [
        ({"num_attention_heads": 2}, {"num_attention_heads": 4}, "`num_attention_heads` is 2 and 4"),
        ({"rope_theta": 1e4}, {"rope_theta": 1e6}, "`rope_parameters.rope_theta` is 10000.0 and 1000000.0"),
        ({}, {"rope_theta": 1e6}, "`rope_parameters.rope_theta` is 10000.0 and 1000000.0"),
        ({}, {"model_type": "mistral"}, "`model_type` is 'llama' and 'mistral'"),
        ({"model_type": "mine", "gate": 1}, {"model_type": "mine", "gate": 2}, "`gate` is 1 and 2"),
        ({"hidden_act": "silu"}, {"hidden_act": "gelu"}, "`hidden_act` is 'silu' and 'gelu'"),
        ({"tie_word_embeddings": True}, {"tie_word_embeddings": False}, "`tie_word_embeddings` is True and False"),
        (
            {"model_type": "qwen2", "max_window_layers": 4, "use_sliding_window": True},
            {"model_type": "qwen2", "max_window_layers": 2, "use_sliding_window": True},
            "`max_window_layers` is 4 and 2",
        ),
    ],
)
def test_combine_other_architecture_of_equal_shapes_is_refused(here, capsys, mine, theirs, message):
    configure("a", **mine)
    configure("b", **theirs)
    assert recipe() == 2
    error = capsys.readouterr().err
    assert "a and b are of different architectures, though their tensors may have the same shapes" in error
    assert f"in their config.json {message}" in error
    assert not list(here.glob("out*"))


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ({"_name_or_path": "x"}, {"_name_or_path": "y", "transformers_version": "4.1"}),
        ({"eos_token_id": 2, "attention_dropout": 0.1}, {"eos_token_id": [2, 3], "attention_dropout": 0.0}),
        ({"max_position_embeddings": 512, "use_cache": True}, {"max_position_embeddings": 2048}),
        ({"rms_norm_eps": 1e-6}, {}),  # the class's default
        ({"model_type": "mine", "gate": 1}, {"model_type": "mine"}),  # of a class that nobody knows the defaults of
        ({"torch_dtype": "float16"}, {"dtype": "float32", "temperature": 0.6}),
        (
            {"model_type": "qwen2", "max_window_layers": 24, "use_sliding_window": False},
            {"model_type": "qwen2", "max_window_layers": 21},
        ),
    ],
)
def test_combine_harmless_config_fields_may_differ(here, mine, theirs):
    configure("a", **mine)
    configure("b", **theirs)
    assert recipe() == 0


NAMES = {"0": "negative", "1": "positive"}


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"0": "Positive", "1": "negative"}, "the same in another order"),
        ({"0": "entails", "1": "contradicts"}, "heads of different tasks cannot be merged"),
        ({"0": "NEGATIVE", "1": "positive"}, None),
        ({"0": "LABEL_0", "1": "LABEL_1"}, None),
        (None, None),
    ],
)
def test_combine_labels_in_another_order_are_refused(here, capsys, labels, message):
    configure("a", id2label=NAMES)
    configure("b", id2label=labels)
    assert recipe() == (0 if message is None else 2)
    assert message is None or message in capsys.readouterr().err


def test_combine_labels_are_compared_if_the_base_has_none(here, capsys):
    configure("base")
    configure("a", id2label=NAMES)
    configure("b", id2label={"0": "positive", "1": "negative"})
    assert recipe(merge_method="task_arithmetic", base_model="base") == 2
    assert "a has the labels negative, positive, and b has positive, negative" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["lora_A.weight", "lora_B.default.weight", "lora_embedding_A"])
def test_combine_adapters_without_their_base_are_refused(here, capsys, name):
    for folder in ("a", "b"):
        save_file({f"base_model.model.layer.q_proj.{name}": torch.ones(2, 2)}, f"{folder}/adapter_model.safetensors")
        Path(f"{folder}/adapter_config.json").write_text('{"base_model_name_or_path": "own/base"}')
    weights = {"parameters": {"weight": 1.0}}
    assert recipe(models=[{"model": f"{each}/adapter_model.safetensors", **weights} for each in "ab"]) == 2
    assert "is a LoRA adapter, and its base model own/base is not here" in capsys.readouterr().err
    for folder in ("a", "b"):
        Path(f"{folder}/adapter_config.json").unlink()
    assert recipe(models=[{"model": f"{each}/adapter_model.safetensors", **weights} for each in "ab"]) == 2
    assert "is a LoRA adapter, not a model, and its factors cannot be merged by themselves" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"lm_head.weight": torch.zeros(1)}, "which b has: models of one merge must share their architecture"),
        ({"norm.num_batches_tracked": torch.tensor(5)}, "only some versions store this counter; load and save both"),
        ({"other": torch.zeros(1)}, "which b has: models of one merge must share their architecture"),
    ],
)
def test_combine_tensor_of_one_model_alone_gives_advice(here, capsys, tensors, message):
    store("b", **load_file("b/model.safetensors"), **tensors)
    assert recipe() == 2
    assert f"a lacks the tensor '{next(iter(tensors))}', " in (error := capsys.readouterr().err)
    assert message in error


def test_combine_missing_class_prefix_is_named(here, capsys):
    store("b", **{f"bert.{name}": tensor for name, tensor in load_file("b/model.safetensors").items()})
    assert recipe() == 2
    message = "a has without the 'bert.' before the name, as a model without a head: load it by the class"
    assert message in capsys.readouterr().err


def test_combine_wrapper_prefix_is_named(here, capsys):
    store("b", **{f"_orig_mod.{name}": tensor for name, tensor in load_file("b/model.safetensors").items()})
    assert recipe() == 2
    assert "a wrapper's '_orig_mod.' stands before the names" in capsys.readouterr().err


def test_combine_side_files_are_copied(here, caplog):
    kept = ["tokenizer.json", "tokenizer.model", "source.spm", "tekken.json", "modules.json", "LICENSE", "NOTICE.txt"]
    kept += [
        "chat_template.jinja",
        "preprocessor_config.json",
        "1_Pooling/config.json",
        "additional_chat_templates/r.jinja",
    ]
    gone = [
        "README.md",
        "modeling_own.py",
        "model.safetensors.index.json",
        "pytorch_model.bin",
        ".secret",
        "logs/a.json",
    ]
    for file in (*kept, *gone):
        (Path("a") / file).parent.mkdir(exist_ok=True)
        (Path("a") / file).write_text(file)
    assert recipe() == 0
    written = {str(path.relative_to("out")) for path in Path("out").rglob("*") if path.is_file()}
    assert written == {"model.safetensors", "config.json", *kept}
    assert all((Path("out") / file).read_text() == file for file in kept)
    assert "not copied from a: README.md, modeling_own.py" in caplog.text


def test_combine_missing_tokenizer_is_copied_with_a_warning(here, caplog):
    Path("a/tokenizer.json").write_text("first")
    Path("b/tokenizer.json").write_text("second")
    assert recipe(merge_method="task_arithmetic", base_model="base") == 0
    assert Path("out/tokenizer.json").read_text() == "first"
    assert "base has no tokenizer: that of a is taken" in caplog.text
    assert "the tokenizers of a and b differ (tokenizer.json): that of a is taken" in caplog.text


def method(*arguments):
    return main([*arguments, "--out", "out"])


def test_combine_method_is_as_its_recipe(here):
    assert method("linear", "a", "b", "--weights", "0.3", "0.7") == 0
    assert merged() == pytest.approx([0.3 + 0.7 * 3])
    Path("out").rename("first")
    models = [{"model": name, "parameters": {"weight": weight}} for name, weight in (("a", 0.3), ("b", 0.7))]
    assert recipe(models=models) == 0
    assert Path("out/model.safetensors").read_bytes() == Path("first/model.safetensors").read_bytes()


def test_combine_method_takes_options_in_any_place(here):
    arguments = ["task_arithmetic", "--base", "base", "--set", "lambda=2", "a", "b", "--weights", "-1", "2"]
    assert method(*arguments) == 0
    assert merged() == [2.0 + 2 * (-1 * -1.0 + 2 * 1.0)]


def test_combine_method_without_weights_counts_models_alike(here):
    assert method("task_arithmetic", "a", "b", "--base", "base") == 0
    assert merged() == [2.0]
    Path("out").rename("first")
    assert method("linear", "a", "b", "--set", "normalize=false") == 0
    assert merged() == [2.0]


@pytest.mark.parametrize(
    ("method", "models", "base"),
    [
        ("linear", ["c", "d"], None),
        ("linear", ["a", "d"], None),
        ("karcher", ["c", "d"], None),
        ("slerp", ["c", "d"], "c"),
        ("task_arithmetic", ["c", "d"], "base"),
    ],
)
def test_combine_base_of_adapters_is_no_further_model(here, method, models, base):
    for name in ("c", "d"):
        Path(name).mkdir()
        Path(name, "adapter_config.json").write_text("{}")
    found = recipe_of_method(method, models, base="base", settings=["t=0.5"] if method == "slerp" else [])
    assert (found.models, found.base, found.base_model) == (tuple(models), base, "base")


def test_combine_method_slerp_goes_from_the_first_model(here):
    save_file({"w": torch.tensor([1.0, 0.0])}, "a/model.safetensors")
    save_file({"w": torch.tensor([0.0, 1.0])}, "b/model.safetensors")
    assert method("slerp", "a", "b", "--set", "t=1/3") == 2
    assert method("slerp", "a", "b", "--set", f"t={1 / 3}") == 0
    torch.testing.assert_close(load_file("out/model.safetensors")["w"], torch.tensor([3**0.5 / 2, 0.5]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["linera", "a", "b"], "unknown merge_method 'linera' (did you mean linear?), from files dfwe knows "),
        (["linear", "a", "b", "--weights", "1"], "2 models and 1 weights: give each model one weight"),
        (["linear"], "name the models to merge"),
        (["linear", "a", "./a"], "model './a': it is listed twice, first as 'a'"),
        (["linear", "a", "nowhere"], "there is no folder nowhere"),
        (["linear", "a", "b", "--base", "base"], "linear has no base model: leave out --base"),
        (["ties", "a", "b"], "ties merges task vectors: name the model that all others started from by --base"),
        (["ties", "a", "b", "--base", "base", "--set", "density"], "--set density: expected NAME=VALUE"),
        (["ties", "a", "b", "--base", "base", "--set", "dense=1"], "ties has no parameter 'dense'"),
        (["slerp", "a", "b", "--weights", "1", "2"], "slerp has no weights: say how far to go by --set t=0.5"),
        (["slerp", "a", "b"], "slerp needs the parameter `t`"),
        (["fisher", "a", "b"], "unknown merge_method 'fisher'"),
        (["uniform", "a", "b"], "unknown merge_method 'uniform'"),
        (["recipe.yaml", "a"], "a recipe needs one folder to write, not 2: dfwe merge recipe.yaml FOLDER"),
        (["recipe.yaml", "--base", "base"], "--base is for a merge without a recipe: set it in recipe.yaml"),
    ],
)
def test_combine_wrong_method_call_is_one_line(here, capsys, arguments, message):
    assert method(*arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1
    assert not list(here.glob("out*"))


def test_combine_method_without_out_is_an_error(here, capsys):
    assert main(["linear", "a", "b"]) == 2
    assert "name the folder to write by --out" in capsys.readouterr().err


def test_combine_help_has_two_examples(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert "dfwe merge linear expert_a expert_b --weights 0.3 0.7 --out merged" in text
    assert "dfwe merge recipe.yaml merged" in text


def test_combine_int8_mask_changes_nothing(here):
    assert recipe(parameters={"int8_mask": True}) == 0
    assert merged() == [2.5]


def test_combine_density_of_one_model_is_its_own(here):
    for name, values in {"base": [0.0] * 4, "a": [1.0, 2.0, 3.0, 4.0], "b": [8.0, 7.0, 6.0, 5.0]}.items():
        save_file({"w": torch.tensor(values)}, f"{name}/model.safetensors")
    models = [
        {"model": name, "parameters": {"weight": 1.0, **own}} for name, own in (("a", {"density": 0.5}), ("b", {}))
    ]
    settings = {"density": 0.25, "normalize": False}
    assert recipe(merge_method="ties", base_model="base", models=models, parameters=settings) == 0
    assert load_file("out/model.safetensors")["w"].tolist() == [8.0, 0.0, 3.0, 4.0]
    Path("out").rename("first")
    models[0]["parameters"]["density"] = [{"filter": "other", "value": 0.5}]  # none for w: the shared one
    assert recipe(merge_method="ties", base_model="base", models=models, parameters=settings) == 0
    assert load_file("out/model.safetensors")["w"].tolist() == [8.0, 0.0, 0.0, 4.0]


def test_combine_density_of_one_model_is_checked(here, capsys):
    models = [{"model": name, "parameters": {"weight": 1, "density": value}} for name, value in (("a", 1), ("b", 3))]
    assert recipe(merge_method="ties", base_model="base", models=models) == 2
    assert "density=3.0: expected a number above 0 and of at most 1" in capsys.readouterr().err


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
@pytest.mark.parametrize("name", ["arcee_fusion", "nearswap"])
def test_combine_hidden_bad_values_are_refused(here, capsys, name, bad):
    save_file({"w": torch.tensor([1.0, bad, 2.0])}, "a/model.safetensors")
    save_file({"w": torch.zeros(3)}, "base/model.safetensors")
    assert method(name, "a", "--base", "base") == 2
    assert "'w' has 1 values that are NaN or infinite" in capsys.readouterr().err


def test_combine_large_weights_become_shards(here, capsys):
    for name, value in {"a": 1.0, "b": 3.0}.items():
        store(name, **{letter: torch.full((300,), value) for letter in "wxyz"})
    arguments = ["linear", "a", "b", "--out", "out"]
    assert main([*arguments, "--max-shard-size", "3KB"]) == 0
    index = json.loads(Path("out/model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == 4800
    assert {name: index["weight_map"][name] for name in "wz"} == {
        "w": "model-00001-of-00002.safetensors",
        "z": "model-00002-of-00002.safetensors",
    }
    assert load_file("out/model-00002-of-00002.safetensors")["z"].unique().tolist() == [2.0]
    assert main(["linear", "out", "a", "--out", "again"]) == 0  # shards are read, too
    assert load_file("again/model.safetensors")["z"].unique().tolist() == [1.5]
    assert main([*arguments, "--max-shard-size", "large"]) == 2
    assert "--max-shard-size large: expected a size such as 5GB or 500MB" in capsys.readouterr().err
