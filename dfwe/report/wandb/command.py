"""Save the view of a W&B project, or write its specification where there is no key."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dfwe.errors import DataError, NetworkError
from dfwe.io.files import write_json
from dfwe.report.wandb.session import mode
from dfwe.report.wandb.workspace import build_workspace, specification
from dfwe.report.run_folder import RESULTS
from dfwe.report.study_results import as_study
from dfwe.io.strict_json import read_json_object


def add_wandb(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("wandb", help="a view of your W&B project that compares merges")
    parser.add_argument("folders", type=Path, nargs="*", help="run folders: their experts get axes of their own")
    parser.add_argument("--entity", help="the user or team whose project it is; by default yours")
    parser.add_argument("--project", default="dfwe", help="as in logger.project; dfwe by default")
    parser.add_argument("--out", type=Path, help="write the view's specification there instead of saving it in W&B")
    parser.set_defaults(command=run_wandb)


def run_wandb(arguments: argparse.Namespace) -> None:
    """Save or write the view.

    Raises:
        ConfigurationError: wandb-workspaces is not installed.
        DataError: a folder has no results.
        NetworkError: there is a key, and W&B cannot be reached or refuses it.
    """
    experts = _experts(arguments.folders)
    has_key = mode() == "online"
    if has_key and arguments.out is None:
        print(f"view: {_saved(arguments, experts=experts)}")
        return
    out = arguments.out or Path("wandb_workspace.json")
    view = build_workspace(entity=arguments.entity or "", project=arguments.project, experts=experts)
    write_json(out, specification(view), through=True)
    if not has_key:
        print("no key of W&B (`wandb login`, or $WANDB_API_KEY), or $WANDB_MODE is offline: nothing is saved there")
    print(f"specification: {out}")


def _saved(arguments: argparse.Namespace, *, experts: Sequence[str]) -> str:
    import wandb

    try:
        entity = arguments.entity or wandb.Api().default_entity
        view = build_workspace(entity=entity, project=arguments.project, experts=experts)
        return str(view.save().url)
    except (wandb.errors.Error, OSError, ValueError) as error:
        raise NetworkError(
            f"the view cannot be saved in W&B ({error}): mend that, or set --out FILE for its specification"
        ) from error


def _experts(folders: Sequence[Path]) -> list[str]:
    """Return the names that merges of these studies have coefficients for, once each."""
    names: dict[str, None] = {}
    for folder in folders:
        try:
            results = read_json_object(folder / RESULTS)
            merges = as_study(results).of_kind("merge")
            names |= dict.fromkeys(name for row in merges for name in row["coefficients"])
        except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
            raise DataError(f"{folder}: expected a run's folder with {RESULTS} ({error})") from error
    return list(names)
