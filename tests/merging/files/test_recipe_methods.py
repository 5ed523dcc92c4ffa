"""Merge methods as recipes in mergekit's format ask for them."""

import pytest

from dfwe.errors import MergeError
from dfwe.merging.files.recipe_methods import recipe_method
from dfwe.merging.methods.arcee_fusion import ArceeFusion
from dfwe.merging.methods.linear import Linear, Lines, Metagpt, NanWeights, TaskArithmetic, WiseFt
from dfwe.merging.methods.nearswap import Nearswap
from dfwe.merging.methods.pcb import Pcb
from dfwe.merging.methods.ram import Ram
from dfwe.merging.methods.sce import Sce
from dfwe.merging.methods.sparse import Breadcrumbs, Dare, Della, Ties
from dfwe.merging.methods.spectral import IsoC, IsoCts, TsvM, Wudi
from dfwe.merging.methods.spherical import Karcher, ModelStock, ModelStockByFilter, Multislerp, Nuslerp, Slerp

EMBEDDINGS = "shared|embed|relative_attention_bias"
AS_GIVEN, NORMALISED = (1.0, 3.0), (0.25, 0.75)


def built(name, weights=AS_GIVEN, **parameters):
    return recipe_method(name, where="r.yaml").build(weights, parameters)


@pytest.mark.parametrize(
    ("name", "parameters", "method", "coefficients"),
    [
        ("linear", {}, Linear(), NORMALISED),
        ("linear", {"normalize": False}, Linear(), AS_GIVEN),
        ("task_arithmetic", {"lambda": 0.7}, TaskArithmetic(scale=0.7), AS_GIVEN),
        ("task_arithmetic", {"normalize": True}, TaskArithmetic(scale=1.0), NORMALISED),
        ("wise_ft", {"share": 0.2}, WiseFt(share=0.2), NORMALISED),
        ("lines", {"beta": 2.0}, Lines(alpha=1.0, beta=2.0), NORMALISED),
        ("metagpt", {}, Metagpt(), NORMALISED),
        ("nan_weights", {"scale": 2.0}, NanWeights(of_weights=False, scale=2.0), NORMALISED),
        ("model_stock", {}, ModelStock(floor=1e-6), NORMALISED),
        ("model_stock", {"filter_wise": True}, ModelStockByFilter(floor=1e-6), NORMALISED),
        ("slerp", {"t": 0.25}, Slerp(parallel=0.9995), (0.75, 0.25)),
        ("multislerp", {}, Multislerp(eps=1e-8, about_parent=None), NORMALISED),
        ("multislerp", {"normalize_weights": False}, Multislerp(eps=1e-8, about_parent=None), AS_GIVEN),
        ("karcher", {"tol": 0.1, "max_iter": 3.0}, Karcher(max_iter=3, tol=0.1), NORMALISED),
        ("ties", {}, Ties(density=1.0, scale=1.0, trim="tensor", aggregate="mean"), AS_GIVEN),
        (
            "ties",
            {"normalize": False, "lambda": 2.0},
            Ties(1.0, 1.0, "tensor", "sum"),
            AS_GIVEN,
        ),
        (
            "ties",
            {"rescale": False, "density": 0.4},
            Ties(0.4, 1.0, "tensor", "mean"),
            AS_GIVEN,
        ),
        ("dare_linear", {}, Dare(density=1.0, rescale="norm", scale=1.0, aggregate="linear", seed=0), AS_GIVEN),
        ("dare_linear", {"normalize": True}, Dare(1.0, "norm", 1.0, "linear", 0), NORMALISED),
        (
            "dare_ties",
            {"rescale": False, "seed": 3.0},
            Dare(1.0, "none", 0.5, "sum", 3),
            AS_GIVEN,
        ),
        (
            "della",
            {"density": 0.5, "lambda": 2.0},
            Della(0.5, 0.15, "norm", 2.0, "mean", 0),
            AS_GIVEN,
        ),
        (
            "della_linear",
            {"epsilon": 0.1},
            Della(1.0, 0.1, "norm", 1.0, "linear", 0),
            AS_GIVEN,
        ),
        ("breadcrumbs", {"gamma": 0.05}, Breadcrumbs(density=1.0, gamma=0.05, scale=1.0, aggregate="linear"), AS_GIVEN),
        (
            "breadcrumbs_ties",
            {"normalize": True},
            Breadcrumbs(1.0, 0.01, 1.0, "mean"),
            AS_GIVEN,
        ),
        ("nearswap", {"t": 0.5}, Nearswap(t=0.5), NORMALISED),
        ("ram", {"epsilon": 0.5}, Ram(epsilon=0.5), NORMALISED),
        ("arcee_fusion", {}, ArceeFusion(fence=1.5), NORMALISED),
        ("nuslerp", {}, Nuslerp(True, False, None), NORMALISED),
        ("nuslerp", {"nuslerp_flatten": False, "nuslerp_row_wise": True}, Nuslerp(False, True, None), NORMALISED),
        ("sce", {}, Sce(select_topk=1.0, least_energy=1e-6), NORMALISED),
        ("pcb", {}, Pcb(density=0.1, outliers=0.0001, scale=1.0), NORMALISED),
        ("iso_c", {}, IsoC(scale=1.0, averaged=None), NORMALISED),
        ("iso_cts", {"common": 0.5}, IsoCts(scale=1.0, common=0.5, averaged=None), NORMALISED),
        ("tsv_m", {}, TsvM(scale=1.0, averaged=None), NORMALISED),
        ("wudi", {"steps": 10.0}, Wudi(steps=10, learning_rate=1e-5, averaged=EMBEDDINGS), NORMALISED),
    ],
)
def test_build_has_mergekits_defaults(name, parameters, method, coefficients):
    assert built(name, **parameters) == (method, coefficients)


def test_build_keeps_whole_numbers_whole():
    assert [type(built("wudi", steps=10.0)[0].steps), type(built("dare_ties", seed=3.0)[0].seed)] == [int, int]


@pytest.mark.parametrize("name", ["wise_ft", "karcher", "sce", "model_stock", "pcb", "iso_c", "nan_weights"])
def test_build_without_weights_counts_experts_alike(name):
    assert built(name, (None, None))[1] == (0.5, 0.5)


@pytest.mark.parametrize(
    ("name", "weights", "parameters", "message"),
    [
        ("linear", (1.0, None), {}, "linear: every model needs a `weight`, the recipe gives 1 of 2"),
        ("linear", (1.0, -1.0), {}, "add up to 0 and cannot be normalised"),
        ("lines", AS_GIVEN, {"slope": 0.5}, "lines has no parameter 'slope': it has alpha, beta"),
        ("metagpt", AS_GIVEN, {"scale": 0.5}, "metagpt has no parameter 'lambda': it has none"),
        ("nan_weights", AS_GIVEN, {"of_weights": 0.5}, "nan_weights: `of_weights` must be true or false, not 0.5"),
        ("pcb", AS_GIVEN, {"density": True}, "pcb: `density` must be a number, not True"),
        ("slerp", AS_GIVEN, {}, "slerp needs the parameter `t`"),
        ("ties", AS_GIVEN, {"rescale": True}, "ties: `rescale` is for methods that drop entries at random"),
    ],
)
def test_build_of_wrong_parameters_is_an_error(name, weights, parameters, message):
    with pytest.raises(MergeError) as caught:
        built(name, weights, **parameters)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "listed", "base", "models"),
    [
        ("ties", ("a", "base", "b"), "base", ("a", "b")),
        ("linear", ("a", "b"), None, ("a", "b")),
        ("linear", ("a",), "base", ("a", "base")),
        ("karcher", ("base", "a"), "base", ("base", "a")),
        ("multislerp", ("a", "base"), "base", ("a",)),
        ("multislerp", ("a", "b"), None, ("a", "b")),
        ("nuslerp", ("a", "base", "b"), "base", ("a", "b")),
        ("nearswap", ("a", "base"), "base", ("a",)),
        ("slerp", ("a", "base"), "base", ("base", "a")),
    ],
)
def test_models_depend_on_the_role_of_the_base_model(name, listed, base, models):
    assert recipe_method(name, where="").models(listed, base=base) == models


@pytest.mark.parametrize(
    ("name", "listed", "base", "message"),
    [
        ("task_arithmetic", ("a", "b"), None, "task_arithmetic needs the experts' common parent .*base_model"),
        ("slerp", ("a", "b"), None, "slerp goes from `base_model` to the other model: name it"),
        ("slerp", ("a", "b"), "base", "slerp merges 2 models, not 3"),
    ],
)
def test_models_without_what_the_method_needs_is_an_error(name, listed, base, message):
    with pytest.raises(MergeError, match=message):
        recipe_method(name, where="").models(listed, base=base)


@pytest.mark.parametrize("name", ["nelder_mead", "cma"])
def test_a_search_is_not_a_method(name):
    with pytest.raises(MergeError, match=f"r.yaml: {name} searches coefficients, .* or run `dfwe search`"):
        recipe_method(name, where="r.yaml")


@pytest.mark.parametrize("name", ["fisher", "regmean_pp", "base", "tise", None, ["linear"]])
def test_recipe_method_of_an_unknown_name_is_an_error(name):
    with pytest.raises(MergeError, match=r"r\.yaml: unknown merge_method .* dfwe knows arcee_fusion, .*ties"):
        recipe_method(name, where="r.yaml")
