"""The recipe of a study's merge gives the study's weights again: by `dfwe merge`, and by mergekit where that has it."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from dfwe.combine import main
from dfwe.conf import conf_dir
from dfwe.errors import MergeError
from dfwe.io.strict_yaml import read_yaml
from dfwe.merging.base import ByLayer, ByModel, ByPattern
from dfwe.merging.engine import prepare_merge
from dfwe.merging.expert_array import Layout, load_experts
from dfwe.merging.files.recipe_of_merge import FinishedMerge, recipe_of_expert, recipe_of_merge
from dfwe.merging.methods.linear import Linear, TaskArithmetic
from dfwe.merging.methods.sparse import Dare, Della, Ties
from dfwe.merging.methods.spherical import ModelStockByFilter, Multislerp, Nuslerp, Slerp

MERGEKIT = Path(__file__).parents[3] / ".venv-interop" / "bin" / "python"
RUN_ALL = """
import sys, yaml
from mergekit.config import MergeConfiguration
from mergekit.merge import MergeOptions, run_merge
options = MergeOptions(copy_tokenizer=False, write_model_card=False, quiet=True)
for name in sys.argv[1:]:
    run_merge(MergeConfiguration.model_validate(yaml.safe_load(open(f"{name}.yaml"))), f"kit_{name}", options=options)
"""


def option(name, **changes):
    """The method of that option of conf/merge, with other settings."""
    settings = read_yaml(conf_dir() / "merge" / f"{name}.yaml")["method"]
    return replace(resolve_name(settings.pop("_target_"))(**settings), **changes)


def options():
    """The options that need no data."""
    names = [file.stem for file in sorted((conf_dir() / "merge").glob("*.yaml")) if read_yaml(file).get("method")]
    return [name for name in names if not option(name).properties.needs_statistics]


BY_KIND = ByPattern({"attention": "self_attn", "norm": "norm"})
THREE, LAYERS = [[0.2, 0.5, 0.3]], [[0.2, 0.5, 0.3], [0.6, 0.1, 0.3], [0.1, 0.1, 0.8], [0.3, 0.3, 0.4]]
MERGES = {  # what mergekit has: the method, the groups and the coefficients
    "linear": (Linear(), ByModel(), THREE),
    "linear_outside": (Linear(), ByModel(), [[-0.2, 0.9, 0.5]]),
    "linear_layers": (Linear(), ByLayer(), LAYERS),
    "task_arithmetic": (TaskArithmetic(0.7), ByModel(), THREE),
    "task_arithmetic_kinds": (TaskArithmetic(1.3), BY_KIND, LAYERS[:3]),
    "ties": (Ties(0.4, 1.3, "tensor", "mean"), ByModel(), THREE),
    "ties_sum_layers": (Ties(0.4, 1.3, "tensor", "sum"), ByLayer(), LAYERS),
    "breadcrumbs": (option("breadcrumbs"), ByModel(), THREE),
    "breadcrumbs_ties": (option("breadcrumbs_ties", density=0.7, gamma=0.05), ByModel(), THREE),
    "slerp": (Slerp(0.9995), ByModel(), [[0.7, 0.3]]),
    "slerp_layers": (Slerp(0.9995), ByLayer(), [[0.7, 0.3], [0.2, 0.8], [0.5, 0.5], [1.0, 0.0]]),
    "nuslerp": (option("nuslerp"), ByModel(), [[0.7, 0.3]]),
    "nuslerp_parent": (Nuslerp(True, False, True), ByModel(), [[0.7, 0.3]]),
    "multislerp": (option("multislerp"), ByModel(), THREE),
    "multislerp_parent": (Multislerp(1e-8, True), ByModel(), THREE),
    "multislerp_outside": (option("multislerp"), ByModel(), [[0.2, 0.9, 0.5]]),
    "karcher": (option("karcher"), ByModel(), [[1 / 3] * 3]),
    "model_stock": (option("model_stock"), ByModel(), [[1 / 3] * 3]),
    "sce": (option("sce"), ByModel(), [[1 / 3] * 3]),
    "della_all": (Della(1.0, 0.1, "norm", 1.1, "mean", 0), ByModel(), THREE),
}


@pytest.fixture(scope="module")
def llamas(tmp_path_factory):
    """A folder with a tiny decoder, `parent`, and its experts `a`, `b`, `c`, and the layout of their weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("llamas")
    shape = {"vocab_size": 64, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 3}
    config = LlamaConfig(**shape, num_attention_heads=2, num_key_value_heads=2, tie_word_embeddings=False)
    torch.manual_seed(0)
    parent = LlamaForCausalLM(config)
    parent.save_pretrained(folder / "parent")
    for name in "abc":
        expert = LlamaForCausalLM(config)
        expert.load_state_dict({n: w + 0.02 * torch.randn_like(w) for n, w in parent.state_dict().items()})
        expert.save_pretrained(folder / name)
    return folder, Layout.of(parent), torch.cat([p.detach().flatten() for p in parent.parameters()])


def merged(llamas, method, groups, rows):
    """The study's merge: its tensors, and what its recipe is made of."""
    folder, layout, parent = llamas
    names = "abc"[: len(rows[0])]
    files = {name: folder / name / "model.safetensors" for name in names}
    array = load_experts(files, layout=layout, parent=parent if method.properties.needs_parent else None)
    out = torch.empty(layout.size)
    prepare_merge(method, array, groups=groups)(np.array(rows), {}, out)
    of_tensor = [tuple(rows[row]) for row in groups.indices(layout.names)]
    coefficients = dict(zip(layout.names, of_tensor, strict=True))
    return layout.views(out), FinishedMerge(method, [f"./{name}" for name in names], "./parent", coefficients)


def written(llamas, name, method, groups, rows):
    """Write the recipe `name.yaml`; return the study's tensors, and whether mergekit gives them, too."""
    tensors, made = merged(llamas, method, groups, rows)
    recipe = recipe_of_merge(made)
    Path(f"{name}.yaml").write_text(recipe.text("A comment.\nOf two lines."))
    return tensors, recipe.not_in_mergekit


def check_same(tensors, folder):
    found = {}
    for file in Path(folder).glob("*.safetensors"):
        found |= load_file(file)
    for name, tensor in tensors.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-6, rtol=0)


@pytest.fixture
def here(llamas, tmp_path, monkeypatch):
    """A folder with links to the models, which one is in."""
    for name in ("parent", *"abc"):
        (tmp_path / name).symlink_to(llamas[0] / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", MERGES)
def test_recipe_run_again_gives_the_studys_weights(llamas, here, name):
    tensors, missing = written(llamas, name, *MERGES[name])
    assert missing == ""
    assert main([f"{name}.yaml", "out"]) == 0
    check_same(tensors, "out")


@pytest.mark.parametrize("name", options())
def test_every_option_has_a_recipe_or_a_reason(llamas, here, name):
    method = option(name)
    if "trim" in vars(method):
        method = replace(method, trim="tensor")
    if "rescale" in vars(method):
        method = replace(method, rescale="norm")
    if name == "wudi":
        method = replace(method, steps=3)
    rows = [[0.7, 0.3]] if method.properties.max_experts == 2 else THREE
    tensors, _ = written(llamas, name, method, ByModel(), rows)  # an error would name the reason
    assert main([f"{name}.yaml", "out"]) == 0
    check_same(tensors, "out")


@pytest.mark.parametrize(
    ("method", "rows", "reason"),
    [
        (Dare(0.5, "norm", 1.0, "linear", 0), THREE, "mergekit draws other random masks for dare_linear"),
        (option("sce"), THREE, "mergekit's sce has no weights"),
        (option("metagpt"), THREE, "mergekit has no metagpt"),
        (option("nearswap"), THREE, "mergekit's nearswap takes one model beside the parent"),
        (option("arcee_fusion"), THREE, "mergekit's arcee_fusion takes one model beside the parent"),
        (option("ram"), THREE, "mergekit's ram has no weights, it counts all models alike"),
        (ModelStockByFilter(1e-6), [[1 / 3] * 3], ""),
    ],
)
def test_a_recipe_says_where_mergekit_differs(llamas, here, method, rows, reason):
    _, found = written(llamas, "r", method, ByModel(), rows)
    assert found.startswith(reason)
    assert bool(found) == bool(reason)


@pytest.mark.parametrize(
    ("method", "rows", "reason"),
    [
        (option("ties"), THREE, "in recipes ties cannot have trim model"),
        (option("dare_linear"), THREE, "in recipes dare cannot have rescale probability"),
        (Ties(0.5, 1.0, "tensor", "max"), THREE, "in recipes ties cannot have aggregate max"),
        (option("metagpt"), [[0.5, 0.9, 0.2]], "in recipes the weights of metagpt always add up to 1"),
    ],
)
def test_what_no_recipe_can_say_has_a_reason(llamas, method, rows, reason):
    _, made = merged(llamas, method, ByModel(), rows)
    with pytest.raises(MergeError, match=reason):
        recipe_of_merge(made)


def test_random_masks_of_other_names_have_no_recipe(llamas):
    _, made = merged(llamas, Dare(0.5, "norm", 1.0, "linear", 0), ByModel(), THREE)
    with pytest.raises(MergeError, match="random masks follow from names"):
        recipe_of_merge(replace(made, has_other_names=True))


def test_method_that_needs_data_has_no_recipe():
    with pytest.raises(MergeError, match="recipes have no fisher"):
        recipe_of_merge(FinishedMerge(option("fisher"), ["a", "b"], "p", {"w": (0.5, 0.5)}))


def test_names_that_are_parts_of_others_keep_their_coefficients():
    others = dict.fromkeys("stuvy", (0.5, 0.5))
    coefficients = {"w": (0.1, 0.9), "x.w": (0.2, 0.8), "x.w.w": (0.1, 0.9), **others}
    content = recipe_of_merge(FinishedMerge(Linear(), ["a", "b"], "p", coefficients)).content
    filters = content["models"][0]["parameters"]["weight"]
    assert [entry.get("filter") for entry in filters] == ["x.w.w", "x.w", "w", None]


def test_layers_that_share_a_beginning_have_a_filter_each():
    coefficients = {f"h.{layer}.w": (layer / 20, 1 - layer / 20) for layer in (1, 10, 11)}
    content = recipe_of_merge(FinishedMerge(Linear(), ["a", "b"], "p", coefficients)).content
    weights = content["models"][0]["parameters"]["weight"]
    assert weights == [{"filter": "h.10.", "value": 0.5}, {"filter": "h.11.", "value": 0.55}, {"value": 0.05}]


def test_an_expert_that_was_kept_is_the_whole_recipe(llamas, here):
    Path("r.yaml").write_text(recipe_of_expert("./b").text("kept"))
    assert main(["r.yaml", "out"]) == 0
    check_same(load_file("b/model.safetensors"), "out")


def test_mergekit_gives_the_studys_weights(llamas, here):
    if not MERGEKIT.exists():
        pytest.skip("mergekit is not installed beside dfwe: run `make interop`")
    tensors = {name: written(llamas, name, *merge)[0] for name, merge in MERGES.items()}
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [str(MERGEKIT), "-c", RUN_ALL, *tensors], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for name, expected in tensors.items():
        check_same(expected, f"kit_{name}")
    assert json.loads(Path("kit_linear/config.json").read_text())["model_type"] == "llama"
