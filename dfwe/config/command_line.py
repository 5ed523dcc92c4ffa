"""The command's arguments as Hydra takes them; what cannot be one is refused in one line."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Never

from hydra._internal.utils import get_args_parser

from dfwe.config.external_model import with_model_of_experts
from dfwe.errors import ConfigurationError, did_you_mean

_GROUPS = ("target", "sweep")  # groups that a study chooses from though config.yaml has no default for them
_WITH_OR_WITHOUT = ("+experts", "+base_model")  # keys that config.yaml has: a `+` is understood, too
_OPEN = re.compile(  # mappings whose keys the user chooses
    r"(merge|merges\.\w+)\.tuned_parameters(\.\w+)*|baseline_settings(\.\w+)*"
)


def hydra_arguments(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with the `+` that Hydra wants for new keys, flags after what they stood between.

    Raises:
        ConfigurationError: an unknown flag, or a flag without what it needs.
    """
    parser = get_args_parser()
    parser.error = _refuse  # type: ignore[method-assign]
    parsed, unparsed = parser.parse_known_args(arguments)
    if flags := [word for word in unparsed if word.startswith("-")]:
        raise ConfigurationError(_unknown_flag(flags[0], parser=parser))
    overrides = [*parsed.overrides, *unparsed]  # argparse takes the first of several rows of these for all
    rest = list(arguments)
    for word in overrides:
        rest.remove(word)
    return [*map(_with_plus, with_model_of_experts(overrides)), *rest]


def _with_plus(override: str) -> str:
    key, equals, _ = override.partition("=")
    if equals and _OPEN.fullmatch(key):
        return f"++{override}"
    if equals and key in _WITH_OR_WITHOUT:
        return override.removeprefix("+")
    return f"+{override}" if equals and key in _GROUPS else override


def _refuse(message: str) -> Never:
    raise ConfigurationError(f"{message}: see dfwe --hydra-help")


def _unknown_flag(word: str, *, parser: argparse.ArgumentParser) -> str:
    name, _, value = word.lstrip("-").partition("=")
    flags = [flag.lstrip("-") for flag in parser._option_string_actions if flag.startswith("--")]
    if hint := did_you_mean(name, flags):
        return f"unknown flag {word.partition('=')[0]}{hint.replace('mean ', 'mean --')}"
    return f"unknown flag {word}: settings are written without dashes, as {name}={value or '...'}"
