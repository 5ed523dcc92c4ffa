"""The one way to the terminal: what users named is drawn as it stands, and steers nothing."""

from __future__ import annotations

import re

from rich.console import Console, RenderableType
from rich.segment import Segment, Segments

from dfwe.controls import CONTROLS


def terminal(*, stderr: bool = False) -> Console:
    """Return a console to which `[old]` and `:smile:` are texts."""
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def show_plain(content: RenderableType, *, console: Console | None = None) -> None:
    """Draw tables and texts, without the characters that would steer the terminal; these have no width."""
    console = console or terminal()
    drawn = console.render(content, console.options.update(markup=False))
    console.print(Segments([_plain(segment) for segment in drawn]), end="")


def _plain(segment: Segment) -> Segment:
    return segment if segment.control else Segment(re.sub(CONTROLS, "", segment.text), segment.style)
