"""Experts that stay on disk: the same merges as of experts in memory, and next to no memory."""

import pickle
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from dfwe.conf import conf_dir
from dfwe.config.instantiate import bind
from dfwe.errors import MergeError
from dfwe.io.strict_yaml import read_yaml
from dfwe.merging import engine
from dfwe.merging.base import ByLayer, LinearMethod
from dfwe.merging.engine import prepare_merge
from dfwe.merging.expert_array import Layout, load_experts
from dfwe.merging.mapped_weights import MappedWeights, map_file, map_model
from dfwe.merging.methods.linear import Linear

NAMES = sorted({file.stem for file in (conf_dir() / "merge").glob("*.yaml")} - {"base"})
SHAPES = {
    "embed.weight": (9, 6),
    "layers.0.q.weight": (6, 6),
    "layers.0.norm.scale": (6,),
    "layers.1.q.weight": (4, 6),
    "head.weight": (5, 6),
}
LAYOUT = Layout(tuple(SHAPES), tuple(map(torch.Size, SHAPES.values())))
KINDS = {"whole": ("a", "b", "c"), "lora": ("lora_1", "lora_2", "lora_3"), "mixed": ("a", "lora_1", "b")}


@pytest.fixture
def files(tmp_path, adapter):
    """Three whole models, three adapters and their parent on disk, by name."""
    torch.manual_seed(0)
    paths = {name: tmp_path / f"{name}.safetensors" for name in ("parent", "a", "b", "c")}
    for path in paths.values():
        save_file({name: torch.randn(shape) for name, shape in SHAPES.items()}, path)
    return paths | {f"lora_{rank}": adapter(f"lora_{rank}", LAYOUT, rank=rank, seed=rank) for rank in (1, 2, 3)}


@pytest.fixture
def pair(files):
    """pair("mixed", 3): the experts in memory, and on disk."""

    def make(kind, number):
        chosen = {name: files[name] for name in KINDS[kind][:number]}
        flat = torch.cat([load_file(files["parent"])[name].flatten() for name in SHAPES])
        in_memory = load_experts(chosen, layout=LAYOUT, parent=flat)
        return in_memory, load_experts(chosen, layout=LAYOUT, parent=map_file(files["parent"]), on_disk=True)

    return make


def with_statistics(array, name, *, folder=None):
    """Give the array what the method needs, drawn; from files where there is a folder for them."""
    torch.manual_seed(1)
    grams = name.startswith("regmean")
    statistics = []
    for place in range(len(array.names)):
        of_expert = {key: torch.rand(*shape) for key, shape in SHAPES.items() if len(shape) == 2 or not grams}
        if grams:
            of_expert = {key: tensor.T @ tensor + torch.eye(6) for key, tensor in of_expert.items()}
        if folder is not None:
            save_file(of_expert, folder / f"{place}.safetensors")
        statistics.append(of_expert if folder is None else map_file(folder / f"{place}.safetensors"))
    return replace(array, statistics=tuple(statistics))


def merged(method, array, coefficients, *, out=None):
    out = torch.full((LAYOUT.size,), torch.nan) if out is None else out
    groups = ByLayer() if np.ndim(coefficients) > 1 else None
    prepare_merge(method, array, groups=groups)(np.atleast_2d(np.array(coefficients, dtype=float)), {}, out)
    return out


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_every_method_merges_from_disk_as_in_memory(pair, name, kind, tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "STREAM_BLOCK", 7)
    method = bind(read_yaml(conf_dir() / "merge" / f"{name}.yaml")["method"])
    number = 2 if method.properties.max_experts == 2 else 3
    in_memory, on_disk = pair(kind, number)
    if method.properties.needs_statistics:
        in_memory, on_disk = with_statistics(in_memory, name), with_statistics(on_disk, name, folder=tmp_path)
    coefficients = [0.7, 0.3] if number == 2 else [0.4, 0.25, 0.35]
    expected, result = (merged(method, array, coefficients) for array in (in_memory, on_disk))
    if isinstance(method, LinearMethod):
        torch.testing.assert_close(result, expected, rtol=1e-6, atol=1e-6)
    else:
        assert torch.equal(result, expected)
    assert not torch.allclose(result, merged(Linear(), in_memory, [1.0, *[0.0] * (number - 1)]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("threads", [1, 2])
def test_groups_are_summed_where_each_tensor_lies(pair, kind, threads):
    in_memory, on_disk = pair(kind, 3)
    coefficients = np.random.default_rng(0).normal(size=(len(ByLayer().names(LAYOUT.names)), 3))
    out = {name: torch.full(shape, torch.nan) for name, shape in SHAPES.items()}
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    merged(Linear(), on_disk, coefficients, out=out)
    torch.set_num_threads(before)
    expected = LAYOUT.views(merged(Linear(), in_memory, coefficients))
    for name, tensor in out.items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_write_expert_reads_the_expert_from_its_file(pair, kind):
    arrays = pair(kind, 3)
    for place in range(3):
        results = [torch.empty(LAYOUT.size) for _ in arrays]
        for array, out in zip(arrays, results, strict=True):
            array.write_expert(place, out=out)
        assert torch.equal(*results)


def test_experts_on_disk_are_files_in_another_process(pair):
    _, on_disk = pair("whole", 3)
    on_disk.map(lambda tensor: pytest.fail("a file was read") if tensor.numel() else tensor)
    content = pickle.dumps(on_disk.mapped)
    assert len(content) < 1000
    assert torch.equal(pickle.loads(content)[2]["head.weight"], on_disk.mapped[2]["head.weight"])
    with pytest.raises(KeyError):
        on_disk.mapped[0]["stranger"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"head.weight": torch.full((5, 6), torch.inf)}, "30 weights are NaN or infinite"),
        ({"head.weight": torch.ones(6, 5)}, r"has shape \[6, 5\], expected \[5, 6\]"),
        ({"stranger": torch.ones(1)}, "has the tensor 'stranger', which the model lacks"),
    ],
)
def test_experts_on_disk_are_checked_like_others(files, change, message):
    save_file({**load_file(files["a"]), **change}, files["a"])
    with pytest.raises(MergeError, match=f"^expert 'x' .*{message}"):
        load_experts({"x": files["a"]}, layout=LAYOUT, on_disk=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_models_folder_is_mapped_where_it_has_its_values(tmp_path, dtype):
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    model.to(dtype).float()
    stored = {name: tensor.to(dtype) for name, tensor in model.state_dict().items()}
    stored["1.bias"] = stored["1.bias"] + 1  # as in a file that a model's class reads otherwise
    del stored["1.weight"]
    save_file({name: tensor.contiguous() for name, tensor in stored.items()}, tmp_path / "model.safetensors")
    mapped = map_model(model, tmp_path)
    assert set(mapped._rest) == {"1.weight", "1.bias"}
    for name, parameter in model.named_parameters():
        assert torch.equal(mapped[name], parameter)
        assert mapped[name].dtype == torch.float32


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux says which memory is mapped")
def test_experts_on_disk_take_no_memory(tmp_path):
    layout = Layout(("a", "b"), (torch.Size([2048, 2048]),) * 2)
    paths = {str(number): tmp_path / f"{number}.safetensors" for number in range(4)}
    for path in paths.values():
        save_file({name: torch.randn(2048, 2048) for name in layout.names}, path)  # 32 MB
    out = torch.ones(layout.size)  # which takes memory now
    before = anonymous_kilobytes()
    merged_of = prepare_merge(Linear(), load_experts(paths, layout=layout, on_disk=True))
    merged_of(np.full((1, 4), 0.25), {}, out)
    assert anonymous_kilobytes() - before < 64_000  # all experts are 128 MB; the allocator keeps some of what was freed
    assert isinstance(load_experts(paths, layout=layout, on_disk=True).mapped[0], MappedWeights)


def anonymous_kilobytes():
    return int(re.search(r"RssAnon:\s+(\d+)", Path("/proc/self/status").read_text())[1])
