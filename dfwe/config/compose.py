"""Compose a study's configuration in Python, as the command does from its arguments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from dfwe.conf import conf_dir
from dfwe.config.command_line import hydra_arguments
from dfwe.config.consistency import check_study, complete
from dfwe.config.hydra_errors import in_our_words, no_option
from dfwe.config.task_options import register
from dfwe.errors import ConfigurationError
from dfwe.values.overrides import quoted_value


def compose_study(overrides: Sequence[str], *, config_dirs: Sequence[Path] = ()) -> DictConfig:
    """Return the checked configuration of a study, for `dfwe.studies.plan.load_plan` or `dfwe.run_study.run_study`.

    `overrides` are the command's arguments, such as `["+target=meld", "merge=ties"]`; tasks and presets in
    `config_dirs` are options, too, as with `--config-dir`.

    Raises:
        ConfigurationError: an unknown option or key, a value that is missing or not allowed.
    """
    folders = [Path(folder).resolve() for folder in config_dirs]
    register(folders)
    places = ",".join(quoted_value(f"file://{folder}") for folder in folders)
    search_path = [f"hydra.searchpath=[{places}]"] if folders else []
    with in_our_words(folders), initialize_config_dir(str(conf_dir()), version_base="1.3"):
        try:
            config = compose("config", overrides=[*search_path, *hydra_arguments(overrides)])
        except ValueError as error:
            raise ConfigurationError(no_option(overrides) or str(error)) from error
    check_study(complete(config))
    return config
