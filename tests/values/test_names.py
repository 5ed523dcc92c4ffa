"""Which names a user may not give."""

import pytest

from dfwe.errors import ConfigurationError
from dfwe.values.check import check
from dfwe.values.names import MergeName, ModelName, compositions, reserved_names, shared_name


def test_reserved_names_are_rows_and_controls():
    names = ("baseline", "mixture", "uniform", "multitask", "random", "same_compute")
    names += ("ensemble", "ensemble_search", "ensemble_greedy", "seed_soup", "seed_ensemble", "linear_probe")
    names += ("distilled", "self_training", "ratatouille_uniform", "ratatouille_greedy", "checkpoint_average", "ema")
    names += ("lora_baseline", "setfit")
    assert set(reserved_names()) == set(names)


@pytest.mark.parametrize("name", ["baseline", "mixture", "ensemble", "multitask", "random", "same_compute"])
@pytest.mark.parametrize("kind", [MergeName, ModelName])
def test_reserved_names_are_refused_with_their_list(name, kind):
    with pytest.raises(ConfigurationError, match=rf"^merge.name={name}: expected .* other than .*baseline, mixture"):
        check(name, kind, key="merge.name")


def test_names_become_part_of_file_names():
    check("ties_0.2+x-y", MergeName, key="merge.name")
    check("uniform", MergeName, key="merge.name")
    for name in ("a/b", "", ".x", "a b"):
        with pytest.raises(ConfigurationError, match="letters, digits"):
            check(name, MergeName, key="merge.name")


def test_compositions_are_the_files_and_all():
    assert {"all", "none", "auto", "emotions"} <= set(compositions())


def test_shared_name_is_the_first_that_comes_twice():
    assert shared_name(["a", "b"], ["c"], ["b", "a"]) == "b"
    assert shared_name(["a"], ["b"]) is None
