"""Reading a constructor from its source tells what importing it would."""

import importlib
import inspect
import re
import subprocess
import sys

import pytest

from dfwe.conf import conf_dir
from dfwe.values.allowed import Count, Natural, PositiveShare
from dfwe.values.signature import NotThereError, Part, signature

TARGETS = sorted(
    {
        name
        for path in conf_dir().rglob("*.yaml")
        for name in re.findall(r"_target_: (dfwe\.[\w.]+)", path.read_text(encoding="utf8"))
    }
)


@pytest.mark.parametrize("target", TARGETS)
def test_signature_has_the_constructors_parameters(target):
    module, _, name = target.rpartition(".")
    parameters = inspect.signature(getattr(importlib.import_module(module), name)).parameters.values()
    named = {each.name for each in parameters if each.kind != each.VAR_KEYWORD}
    found = signature(target)
    assert found is not None
    assert named <= set(found.parameters)
    assert found.open == (len(named) < len(parameters))
    assert found.open or named == set(found.parameters)


def test_signature_resolves_annotations_of_bases_and_other_modules():
    ties = signature("dfwe.merging.methods.sparse.Dare").parameters
    assert ties["density"] == PositiveShare
    assert ties["seed"] == Natural
    assert "mean" in str(ties["aggregate"])  # a Literal of another module
    assert signature("dfwe.search.optimizers.sequence.Dirichlet").parameters["budget"] == Count
    assert signature("dfwe.data.synthetic.friends.corpus.ToyFriends").parameters["style"] is Part


def test_signature_of_what_is_not_there():
    for target in (
        "dfwe.nowhere.Rule",
        "dfwe.merging.methods.sparse.Nope",
        "nowhere",
        "no_package_of_ours.Rule",
        "",
    ):
        with pytest.raises(NotThereError):
            signature(target)


def test_signature_of_a_users_own_module(tmp_path, monkeypatch):
    """It is read, not run."""
    (tmp_path / "my_rules.py").write_text(
        "from typing import Annotated\nfrom dataclasses import dataclass\n"
        "from dfwe.values.allowed import Count\nfrom somewhere import Anything\nraise SystemExit\n"
        "@dataclass\nclass Mine:\n    steps: Count\n    of: Anything\n    size: Annotated[int, Nope(1)] = 0\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert signature("my_rules.Mine").parameters["steps"] == Count
    assert list(signature("my_rules.Mine").parameters) == ["steps", "of", "size"]


def test_the_check_imports_nothing_heavy():
    """Torch, Lightning and nevergrad take seconds: a wrong value is said before."""
    code = (
        "import sys\nfrom dfwe.values.check import check\nfrom dfwe.values.signature import signature\n"
        f"for target in {TARGETS!r}: signature(target)\nimport dfwe.config.consistency\n"
        "print([name for name in ('torch', 'numpy', 'nevergrad', 'transformers') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"
