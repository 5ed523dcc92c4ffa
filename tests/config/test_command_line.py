"""The command's arguments before Hydra has them."""

from pathlib import Path

import pytest

from dfwe.config.command_line import hydra_arguments
from dfwe.errors import ConfigurationError
from dfwe.run import user_folders


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["target=meld"], ["+target=meld"]),
        (["-m", "target=meld,sst", "seed=1"], ["+target=meld,sst", "seed=1", "-m"]),
        (["sweep=all_targets", "-m"], ["+sweep=all_targets", "-m"]),
        (["+target=meld", "target.meld.name=x", "~baselines"], ["+target=meld", "target.meld.name=x", "~baselines"]),
        (["seed=1", "-m", "+target=meld"], ["seed=1", "+target=meld", "-m"]),  # argparse refuses what is after a flag
        (["--cfg", "job", "seed=1", "-p", "seed"], ["seed=1", "--cfg", "job", "-p", "seed"]),
        (["-sc", "query=bash"], ["query=bash", "-sc"]),
        (["seed=1", "seed=1", "--multirun"], ["seed=1", "seed=1", "--multirun"]),
        (
            ["merge.tuned_parameters={scale: {low: 0}}"],
            ["++merge.tuned_parameters={scale: {low: 0}}"],
        ),
        (["merges.ties.tuned_parameters.scale.low=0"], ["++merges.ties.tuned_parameters.scale.low=0"]),
        ([], []),
    ],
)
def test_arguments_are_as_hydra_takes_them(arguments, expected):
    assert hydra_arguments(arguments) == expected


@pytest.mark.parametrize(("flag", "hint"), [("--target", "as target=\\.\\.\\."), ("--mulitrun", "mean --multirun")])
def test_an_unknown_flag_is_refused(flag, hint):
    with pytest.raises(ConfigurationError, match=f"unknown flag {flag}.*{hint}"):
        hydra_arguments([flag, "meld"])


def test_the_users_folders_are_those_of_config_dir():
    assert user_folders(["-cd", "a", "seed=1", "--config-dir=b"]) == (Path("a"), Path("b"))
