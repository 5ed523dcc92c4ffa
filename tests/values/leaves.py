"""Every leaf of composed configurations, and values that hardly any of them may have."""

from collections.abc import Iterator
from typing import Any

NAN, INF = float("nan"), float("inf")
Path = tuple[str | int, ...]


def leaves(node: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Each value that holds no others, with its path; an empty list or mapping is one."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    inside = list(items)
    if not inside:
        yield path, node
    for name, each in inside:
        yield from leaves(each, (*path, name))


def bad_values(value: Any) -> dict[str, Any]:
    """What to try instead of the value, by what is wrong with it."""
    wrong_type = {"nope": 1}
    if isinstance(value, bool):
        return {"word": "nope", "number": 3, "mapping": wrong_type}
    if isinstance(value, int | float):
        half = {"half": 2.5} if isinstance(value, int) else {}
        return {"word": "nope", "zero": 0, "negative": -1, "nan": NAN, "inf": INF, "truth": True, **half}
    if isinstance(value, str):
        return {"word": "nope", "number": 3, "mapping": wrong_type, "empty": ""}
    return {"word": "nope", "negative": -1, "nan": NAN, "number": 3}


def key_of(path: Path) -> str:
    """The key as messages write it."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def replaced(node: Any, path: Path, value: Any) -> Any:
    """A copy with another value at the path; all beside the path is shared."""
    if not path:
        return value
    first, *rest = path
    copy = dict(node) if isinstance(node, dict) else list(node)
    copy[first] = replaced(node[first], tuple(rest), value)
    return copy
