"""Draw progress bars: stage k of n, its share, time left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from dfwe.controls import in_one_line
from dfwe.report.terminal.console import terminal

StartStage = Callable[[int, int, str], Callable[[float], None]]


@contextmanager
def bars() -> Iterator[StartStage]:
    """Yield a function that starts the bar of stage `number` of `total` and returns a reporter of its share.

    On a terminal two bars are drawn, the study's and the stage's; elsewhere a line is written per stage.
    """
    console = terminal(stderr=True)
    if not console.is_terminal:
        yield lambda number, total, title: _line(console, f"[{number}/{total}] {title}")
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        study, stage = progress.add_task("study", total=1.0), progress.add_task("", total=1.0)
        shares: dict[int, float] = {}

        def start(number: int, total: int, title: str) -> Callable[[float], None]:
            if number == 1:
                shares.clear()
            progress.reset(stage, description=f"stage {number} of {total}: {in_one_line(title)}")

            def report(share: float) -> None:
                progress.update(stage, completed=share)
                shares[number] = share  # stages may be made side by side, and end in any order
                progress.update(study, completed=sum(shares.values()) / total)

            return report

        yield start


def _line(console: Console, text: str) -> Callable[[float], None]:
    console.print(in_one_line(text))
    return lambda share: None
