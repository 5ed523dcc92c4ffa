"""Save the view of a W&B project that compares merges, built with wandb-workspaces, or write its specification."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from dfwe.errors import ConfigurationError, NetworkError
from dfwe.io.files import write_json
from dfwe.process.arguments import add_command
from dfwe.report.run_folder import read_run, readable_results
from dfwe.report.wandb.session import mode

VIEW, INTERNAL_NAME = "dfwe merges", "nw-dfwemerges-v"  # the second is the server's: one name, one view
PINNED = ("config:target.value", "config:sources.value", "config:model.value", "config:merge.value")
NUMBERS = ("dev", "test", "delta", "delta_low", "delta_high", "p", "evaluations", "seconds")
ORIGIN = ("target", "sources", "model", "merge", "search")


def add_wandb(commands: Any) -> None:
    """Add the subcommand."""
    examples = ("dfwe report wandb RUN_FOLDER", "dfwe report wandb RUN_FOLDER --out view.json")
    parser = add_command(commands, "wandb", "save a view of your W&B project that compares merges", examples=examples)
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
    experts: dict[str, None] = {}
    for folder in arguments.folders:
        with readable_results(folder):
            for row in read_run(folder).results.of_kind("merge"):
                experts |= dict.fromkeys(row["coefficients"])
    has_key = mode() == "online"
    if has_key and arguments.out is None:
        print(f"view: {_saved(arguments, experts=list(experts))}")
        return
    out = arguments.out or Path("wandb_workspace.json")
    view = build_workspace(entity=arguments.entity or "", project=arguments.project, experts=list(experts))
    write_json(out, specification(view), through=True)
    if not has_key:
        print("no key of W&B (`wandb login`, or $WANDB_API_KEY), or $WANDB_MODE is offline: nothing is saved there")
    print(f"specification: {out}")


def build_workspace(*, entity: str, project: str, experts: Sequence[str] = ()) -> Any:
    """Build the view: all runs of job type `merge`, the best delta first; `experts` have axes of their own.

    Raises:
        ConfigurationError: wandb-workspaces is not installed.
    """
    workspaces, panels = _libraries()
    sections = {
        "Merges": _merges(panels),
        "Coefficients": _coefficients(panels, experts=experts),
        "Searches": [
            panels.LinePlot(title=title, x="trial", y=[key], title_x="trial")
            for key, title in (
                ("best", "Best dev score so far"),
                ("score", "Dev score of each trial"),
                ("bound", "Bounds of stopped trials"),
            )
        ],
        "Side by side": [panels.RunComparer(diff_only=True), panels.WeavePanelSummaryTable(table_name="models")],
    }
    view = workspaces.Workspace(
        entity=entity,
        project=project,
        name=VIEW,
        sections=[workspaces.Section(name=name, panels=of, is_open=True) for name, of in sections.items()],
        settings=workspaces.WorkspaceSettings(x_axis="trial", max_runs=100),
        runset_settings=workspaces.RunsetSettings(
            filters=workspaces.And(workspaces.Metric("JobType") == "merge"),
            order=[workspaces.Ordering(workspaces.Summary("delta"), ascending=False)],
            pinned_columns=[*PINNED, *(f"summary:{number}" for number in NUMBERS)],
        ),
    )
    view._internal_name = INTERNAL_NAME  # saved again it is the same view, not one more
    return view


def specification(view: Any) -> dict[str, Any]:
    """Return the view as it is sent to the server."""
    model = view._to_model()
    spec: dict[str, Any] = model.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {"entity": view.entity, "project": view.project, "name": model.name, "displayName": view.name, "spec": spec}


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


def _merges(panels: ModuleType) -> list[Any]:
    """Return panels of what made each merge and what came out, then dev against test, gain and price."""
    number = {name: panels.SummaryMetric(name) for name in ("evaluations", "dev", "test", "delta")}
    price = "What the search cost, and what it gained"
    return [
        _parallel(panels, "Merges", [*(panels.Config(name) for name in ORIGIN), *number.values()]),
        panels.ScatterPlot(title="Dev at the search, and test", x=number["dev"], y=number["test"]),
        panels.ScatterPlot(title=price, x=number["evaluations"], y=number["delta"]),
        panels.BarPlot(title="Delta to the baseline on test", metrics=["delta"], max_bars_to_show=50),
        panels.BarPlot(title="Test", metrics=["test"], max_bars_to_show=50),
    ]


def _coefficients(panels: ModuleType, *, experts: Sequence[str]) -> list[Any]:
    axes = [panels.SummaryMetric(name) for name in (*(f"alpha/{expert}" for expert in experts), "dev", "test")]
    parallel = [_parallel(panels, "Kept coefficients", axes)] if experts else []
    by_trial = panels.LinePlot(title="Coefficients by trial", x="trial", metric_regex="alpha/.*", title_x="trial")
    return [*parallel, by_trial]


def _parallel(panels: ModuleType, title: str, axes: Sequence[Any]) -> Any:
    columns = [panels.ParallelCoordinatesPlotColumn(metric=axis) for axis in axes]
    return panels.ParallelCoordinatesPlot(title=title, columns=columns, layout=panels.Layout(w=24, h=9))


def _libraries() -> tuple[ModuleType, ModuleType]:
    try:
        import wandb_workspaces.reports.v2 as panels
        import wandb_workspaces.workspaces as workspaces
    except ImportError as error:
        raise ConfigurationError(
            f"the workspace view needs wandb-workspaces, which is missing ({error}): pip install 'dfwe[wandb]'"
        ) from None
    return workspaces, panels
