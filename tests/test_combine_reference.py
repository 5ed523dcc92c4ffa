"""dfwe.combine against public tools: every recipe of ../shared/oracle whose merge method is here."""

from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file
from transformers import AutoModelForSeq2SeqLM

from dfwe.combine import main
from dfwe.conf import conf_dir

ORACLE = Path(__file__).parents[1] / ".." / "shared" / "oracle" / "merges"
AVAILABLE = {file.stem for file in (conf_dir() / "merge").glob("*.yaml")}
METHODS = {
    file.stem: yaml.safe_load(file.read_text())["merge_method"] for file in sorted((ORACLE / "recipes").glob("*.yaml"))
}
HERE = [name for name, method in METHODS.items() if method in AVAILABLE]
ELSEWHERE = [name for name, method in METHODS.items() if method not in AVAILABLE]


@pytest.fixture
def out(tmp_path, monkeypatch):
    monkeypatch.chdir(ORACLE)  # the recipes' paths are relative to it
    return tmp_path / "out"


def test_reference_merges_are_there():
    if not ORACLE.exists():
        pytest.skip("the reference merges (../shared/oracle) are not beside this checkout")
    assert {"linear", "slerp_t0.3", "multislerp", "karcher", "model_stock", "sce_top0.5"} <= set(HERE)


@pytest.mark.parametrize("name", HERE)
def test_combine_matches_reference(out, name):
    assert main([f"recipes/{name}.yaml", str(out)]) == 0
    expected, found = load_file(f"merged/{name}.safetensors"), load_file(out / "model.safetensors")
    assert expected.keys() == found.keys()
    for tensor, reference in expected.items():
        torch.testing.assert_close(found[tensor], reference, atol=1e-5, rtol=0)
    assert AutoModelForSeq2SeqLM.from_pretrained(out) is not None


@pytest.mark.parametrize("name", ELSEWHERE)
def test_combine_of_an_unknown_method_is_refused(out, capsys, name):
    assert main([f"recipes/{name}.yaml", str(out)]) == 2
    assert f"unknown merge_method '{METHODS[name]}'" in capsys.readouterr().err
