"""The study of `dfwe fit`: its model, its settings, and the arguments that run it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser

from dfwe.conf import conf_dir, option_names
from dfwe.config.consistency import check_package
from dfwe.config.external_model import option_for_parent
from dfwe.config.hydra_errors import in_our_words
from dfwe.errors import ConfigurationError, did_you_mean
from dfwe.fit.task import HYDRA_WORDS, TableTask
from dfwe.io.files import read_text
from dfwe.io.strict_yaml import read_yaml
from dfwe.values.overrides import quoted_value

_WRITERS = ("seq2seq", "causal_lm")
_FAMILIES = ("classifier", *_WRITERS)  # the others need a head in each task's YAML
_OFF = ("false", "no", "off", "0")


def check_settings(settings: Sequence[str]) -> None:
    """Refuse settings with which a study would end without a model to ship.

    Raises:
        ConfigurationError: the settings leave out the evaluation or the model's files, or cannot be read.
    """
    with in_our_words():
        overrides = OverridesParser.create().parse_overrides(list(settings))
    for override in overrides:
        key, value = override.key_or_group, override.value()
        ends = {
            "export": str(value).lower() in _OFF,
            "plan_only": str(value).lower() not in _OFF,
            "stages.until": value != "evaluate",
            "stages.skip": isinstance(value, list) and "evaluate" in value,
        }
        if ends.get(key, False):
            raise ConfigurationError(
                f"{override.input_line} leaves no model to ship: leave it out, or add it to the study's command, which "
                "--dry-run prints"
            )


def chosen_model(name: str) -> tuple[str, list[str]]:
    """Return the option of `model` and further settings: the source, where a folder or a repository is named.

    Raises:
        ConfigurationError: there is neither an option nor a folder of that name, and no repository can have it.
        DfweError: as in `option_for_parent`.
    """
    names = option_names("model")
    if name in names:
        return name, []
    if "/" in name or Path(name).expanduser().is_dir():
        return option_for_parent(name), [f"model.source.name={hydra_value(Path(name))}"]
    raise ConfigurationError(
        f"unknown model '{name}'{did_you_mean(name, names)}: name a folder, a repository on the Hub (owner/name) or "
        f"one of {', '.join(names)}"
    )


def check_model(name: str, *, tasks: Sequence[TableTask]) -> None:
    """Check that an option of `model` suits all tasks, and that its weights are installed.

    Raises:
        ConfigurationError: they are not, or it cannot learn a task's answers.
    """
    config = read_yaml(conf_dir() / "model" / f"{name}.yaml")
    family = config["family"]["_target_"].split(".")[2]
    if family not in _FAMILIES:
        raise ConfigurationError(
            f"--model {name} needs heads that a task's YAML describes: choose minilm_classifier or minilm"
        )
    if family not in _WRITERS and (writes := [task for task in tasks if task.kind == "text"]):
        table = writes[0].table
        leave = f", or leave out --source {table.path}" if writes[0].is_source else ""
        raise ConfigurationError(
            f"{table.path}: the answers in column '{table.columns.label}' are free text, and {name} chooses among "
            f"labels: set --model minilm{leave}"
        )
    check_package(config["source"], model=name)


def study_arguments(
    target: str, *, sources: Sequence[str], model: str, settings: Sequence[str], out: Path
) -> list[str]:
    """Return the arguments of the study."""
    chosen = [f"sources=[{','.join(sources)}]"] if sources else ["sources=none", "stages.skip=[merge]"]
    study = [f"+target={target}", *chosen, f"model={model}", *settings, f"hydra.run.dir={hydra_value(out)}"]
    return ["--config-dir", str(out / "conf"), "experiment=fit", *study]


def check_not_edited(contents: Mapping[Path, str], *, study: Sequence[str]) -> None:
    """Refuse to write over a task that was edited, or that another table made.

    Raises:
        ConfigurationError: a file is there with other content, or cannot be read.
    """
    for path, text in contents.items():
        if path.exists() and read_text(path, error=ConfigurationError) != text:
            raise ConfigurationError(
                f"{path} is there with other content, edited or made with other options: run "
                f"`{shlex.join(['dfwe', *study])}` to use it as it is, remove it to write it anew, or set --out to "
                "another folder"
            )


def hydra_value(path: Path) -> str:
    """Return a path as Hydra reads it: in quotes unless it is sure to be read as text."""
    text = str(path)
    if re.fullmatch(r"(\.\./)*/?[a-z_][\w./-]*", text, re.ASCII | re.IGNORECASE) and text.lower() not in HYDRA_WORDS:
        return text
    return quoted_value(text)
