"""Build a view of a W&B project that compares merges, with wandb-workspaces; it needs no set-up in the browser."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

from dfwe.errors import ConfigurationError

VIEW, INTERNAL_NAME = "dfwe merges", "nw-dfwemerges-v"  # the second is the server's: one name, one view
PINNED = ("config:target.value", "config:sources.value", "config:model.value", "config:merge.value")
NUMBERS = ("dev", "test", "delta", "delta_low", "delta_high", "p", "evaluations", "seconds")
ORIGIN = ("target", "sources", "model", "merge", "search")


def build_workspace(*, entity: str, project: str, experts: Sequence[str] = ()) -> Any:
    """Build the view: all runs of job type `merge`, the best delta first; `experts` have axes of their own.

    Raises:
        ConfigurationError: wandb-workspaces is not installed.
    """
    workspaces, panels = _libraries()
    view = workspaces.Workspace(
        entity=entity,
        project=project,
        name=VIEW,
        sections=[
            workspaces.Section(name=name, panels=content, is_open=True)
            for name, content in (
                ("Merges", _merges(panels)),
                ("Coefficients", _coefficients(panels, experts=experts)),
                ("Searches", _searches(panels)),
                (
                    "Side by side",
                    [panels.RunComparer(diff_only=True), panels.WeavePanelSummaryTable(table_name="models")],
                ),
            )
        ],
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


def _merges(panels: ModuleType) -> list[Any]:
    """Return panels of what made each merge and what came out, then dev against test, gain and price."""
    numbers = [panels.SummaryMetric(name) for name in ("evaluations", "dev", "test", "delta")]
    return [
        _parallel(panels, "Merges", [*(panels.Config(name) for name in ORIGIN), *numbers]),
        panels.ScatterPlot(
            title="Dev at the search, and test", x=panels.SummaryMetric("dev"), y=panels.SummaryMetric("test")
        ),
        panels.ScatterPlot(
            title="What the search cost, and what it gained",
            x=panels.SummaryMetric("evaluations"),
            y=panels.SummaryMetric("delta"),
        ),
        panels.BarPlot(title="Delta to the baseline on test", metrics=["delta"], max_bars_to_show=50),
        panels.BarPlot(title="Test", metrics=["test"], max_bars_to_show=50),
    ]


def _coefficients(panels: ModuleType, *, experts: Sequence[str]) -> list[Any]:
    alphas = [panels.SummaryMetric(f"alpha/{expert}") for expert in experts]
    axes = [*alphas, panels.SummaryMetric("dev"), panels.SummaryMetric("test")]
    parallel = [_parallel(panels, "Kept coefficients", axes)] if alphas else []
    by_trial = panels.LinePlot(title="Coefficients by trial", x="trial", metric_regex="alpha/.*", title_x="trial")
    return [*parallel, by_trial]


def _searches(panels: ModuleType) -> list[Any]:
    return [
        panels.LinePlot(title="Best dev score so far", x="trial", y=["best"], title_x="trial"),
        panels.LinePlot(title="Dev score of each trial", x="trial", y=["score"], title_x="trial"),
        panels.LinePlot(title="Bounds of stopped trials", x="trial", y=["bound"], title_x="trial"),
    ]


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
