"""In words: which sources were chosen, and what for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.text import Text


def choice_parts(choice: Mapping[str, Any] | None) -> tuple[Text, ...]:
    """One line: the candidates in their order with their scores, where the taken ones end; none without a choice."""
    if choice is None:
        return ()
    taken = set(choice["taken"])
    chosen = [_words(each) for each in choice["ranking"] if each["task"] in taken]
    others = [_words(each) for each in choice["ranking"] if each["task"] not in taken]
    parts = [f"Sources chosen by {', '.join(choice['by'])}: {', '.join(chosen)}"]
    parts += [f"before {', '.join(others)}"] if others else []
    parts += [f"nothing is known of {', '.join(choice['unknown'])}"] if choice["unknown"] else []
    return (Text("; ".join(parts) + "."),)


def _words(ranked: Mapping[str, Any]) -> str:
    """`personality (transfer +0.020, gradients +0.310)`."""
    named = (f"{name} {score:+.3f}" for name, score in ranked["scores"].items())
    return f"{ranked['task']} ({', '.join(named)})"
