"""Texts of users as the terminal may draw them."""

from __future__ import annotations

from rich.markup import escape

from dfwe.controls import without_controls


def plain(text: object) -> str:
    """Return the text for rich to draw as it stands: `[old]` is not markup, and nothing in it steers the terminal."""
    return escape(without_controls(text))
