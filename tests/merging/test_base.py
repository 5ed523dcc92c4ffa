"""Checks that all merge methods share: their settings, the parent, the simplex."""

from dataclasses import fields, replace

import pytest
import torch

from dfwe.conf import conf_dir
from dfwe.config.instantiate import bind
from dfwe.errors import MergeError
from dfwe.io.strict_yaml import read_yaml
from dfwe.merging.base import TensorInfo, method_name, tensor_infos
from dfwe.merging.methods.spherical import ModelStockByFilter

NAMES = sorted({file.stem for file in (conf_dir() / "merge").glob("*.yaml")} - {"base"})


def configured(name):
    return bind(read_yaml(conf_dir() / "merge" / f"{name}.yaml")["method"])


def two_experts(array, *, parent):
    tensors = [{"w": torch.eye(2) * (1.0 + number)} for number in range(3)]
    return array(tensors[:2], parent=tensors[2] if parent else None)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("breadcrumbs", {"density": 1.5}, "breadcrumbs: density=1.5: expected a number above 0 and of at most 1"),
        ("breadcrumbs_ties", {"gamma": 1.0}, "gamma=1.0: expected a number of at least 0 and below 1"),
        ("breadcrumbs_ties", {"aggregate": "median"}, "aggregate=median: expected linear, mean, sum or max"),
        ("dare_linear", {"rescale": "l1"}, "rescale=l1: expected probability, norm or none"),
        ("dare_ties", {"seed": -1}, "seed=-1: expected a whole number of at least 0"),
        ("della", {"density": 0.2, "epsilon": 0.2}, "epsilon must be in (0, 1), not epsilon 0.2 at density 0.2"),
        ("della_linear", {"epsilon": -0.1}, "epsilon=-0.1: expected a number of at least 0"),
        ("df_merge", {"floor": -1.0}, "floor=-1.0: expected a number of at least 0"),
        ("fisher", {"floor": float("nan")}, "floor=nan: expected a finite number"),
        ("iso_c", {"averaged": "("}, "averaged=(: expected a text that is a regular expression"),
        ("iso_cts", {"common": 1.5}, "common=1.5: expected a number from 0 to 1"),
        ("karcher", {"max_iter": -1}, "max_iter=-1: expected a whole number of at least 0"),
        ("karcher", {"tol": 0.0}, "tol=0.0: expected a number above 0"),
        ("model_stock", {"floor": -1.0}, "floor=-1.0: expected a number of at least 0"),
        ("multislerp", {"eps": 0.0}, "eps=0.0: expected a number above 0"),
        ("nearswap", {"t": -1.0}, "t=-1.0: expected a number of at least 0"),
        ("nuslerp", {"nuslerp_flatten": 1}, "nuslerp_flatten=1: expected true or false"),
        ("pcb", {"outliers": 0.5}, "outliers=0.5: expected a number of at least 0 and below 0.5"),
        ("regmean", {"ridge": 0.0}, "ridge=0.0: expected a number above 0"),
        ("sce", {"select_topk": 0.0}, "select_topk=0.0: expected a number above 0"),
        ("slerp", {"parallel": 2.0}, "parallel=2.0: expected a number from 0 to 1"),
        ("ties", {"trim": "layer"}, "trim=layer: expected model or tensor"),
        ("wise_ft", {"share": -0.1}, "share=-0.1: expected a number from 0 to 1"),
        ("wudi", {"steps": 1.5}, "steps=1.5: expected a whole number"),
    ],
)
def test_check_of_a_wrong_setting_is_an_error(name, settings, message):
    method = configured(name)
    for setting, value in settings.items():
        object.__setattr__(method, setting, value)  # past the types that tests check
    with pytest.raises(MergeError) as caught:
        method.check(2)
    assert message in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_check_of_configured_settings_passes(name):
    configured(name).check(2)


@pytest.mark.parametrize("name", [name for name in NAMES if configured(name).properties.needs_parent])
def test_needs_parent_without_one_is_an_error(array, merge, name):
    method = configured(name)
    with pytest.raises(MergeError, match=f"{method_name(method)} needs the experts' common parent"):
        merge(method, two_experts(array, parent=False), [0.5, 0.5])


@pytest.mark.parametrize("name", [name for name in NAMES if not configured(name).properties.needs_parent])
def test_merge_without_a_parent_is_finite(array, merge, name):
    experts = replace(two_experts(array, parent=False), statistics=({"w": torch.eye(2)},) * 2)
    assert merge(configured(name), experts, [0.5, 0.5])["w"].isfinite().all()


@pytest.mark.parametrize("name", ["iso_cts", "karcher", "sce", "wise_ft", "wudi"])
def test_merge_off_the_simplex_is_an_error(array, merge, name):
    with pytest.raises(
        MergeError, match=f"{name} needs coefficients that are at least 0 and add up to 1, not 1.5, -0.5"
    ):
        merge(configured(name), two_experts(array, parent=True), [1.5, -0.5])


@pytest.mark.parametrize("name", NAMES)
def test_merge_time_settings_are_fields(name):
    method = configured(name)
    assert set(method.properties.merge_time_settings) <= {field.name for field in fields(method)}


@pytest.mark.parametrize("method", [configured("model_stock"), ModelStockByFilter(floor=0.0)])
def test_model_stock_of_one_expert_is_an_error(method):
    with pytest.raises(MergeError, match="merges 2 or more models, not 1"):
        method.check(1)


def test_tensor_infos_depth_spans_each_stack():
    depths = {
        "enc.0.sub.7.w": 0.0,
        "enc.2.sub.1.w": 1.0,
        "dec.1.w": 0.25,
        "dec.4.w": 1.0,
        "only.0.w": 1.0,
        "shared": 0.0,
    }
    assert tensor_infos(depths) == [TensorInfo(name, depth) for name, depth in depths.items()]
