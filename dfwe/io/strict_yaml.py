"""YAML that others wrote: plain values, or one error with file and place.

Refused are, besides broken syntax: a key that comes twice, nesting deeper than `MAX_DEPTH`, aliases that stand for more
than `MAX_NODES` values or for themselves, tags that name anything but plain values, and values that their tag cannot be
(`!!int "x"`). Numbers are read as Hydra reads them (1e-3 is one), and what looks like a date is a text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

from yaml import MappingNode, Node, SafeLoader, SequenceNode, YAMLError, load
from yaml.constructor import ConstructorError

from dfwe.errors import ConfigurationError, DfweError
from dfwe.io.files import read_text

MAX_DEPTH = 30  # Hydra takes a dozen calls for each level, and Python allows a thousand
MAX_NODES = 100_000  # values, aliases written out
MAX_DIGITS = 300  # of a whole number; more would not fit a float

_MERGE, _FLOAT = (f"tag:yaml.org,2002:{name}" for name in ("merge", "float"))
EXPONENT = re.compile(r"[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?[eE][-+]?[0-9]+$")


def loads(text: str, *, where: str, error: type[DfweError] = ConfigurationError) -> Any:
    """Return what the text holds; `where` names its file, `error` is what is raised for anything wrong."""
    try:
        return load(text, Loader=_StrictLoader)
    except (YAMLError, RecursionError) as cause:
        raise error(f"{where}{reason_of(cause)}") from None


def read_yaml(path: Path, *, error: type[DfweError] = ConfigurationError) -> Any:
    """Return what the file holds."""
    return loads(read_text(path, error=error), where=str(path), error=error)


class _StrictLoader(SafeLoader):
    """Plain YAML within the bounds that the module names."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self._depth = 0

    def get_single_node(self) -> Node | None:
        node: Node | None = super().get_single_node()
        if node is not None:
            _check_size(node)
        return node

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _wrong(f"it is nested deeper than {MAX_DEPTH} levels", self.peek_event())  # type: ignore[no-untyped-call]
        node: Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_object(self, node: Node, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep=deep)
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as cause:
            raise _wrong(f"'{_text_of(node)}' is not a value of its tag {_short(node.tag)}", node) from cause
        if isinstance(value, float) and math.isinf(value) and "inf" not in str(node.value).lower():
            raise _wrong(f"no float can hold '{_text_of(node)}'", node)
        if isinstance(value, int) and abs(value) >= 10**MAX_DIGITS:
            raise _wrong(f"a whole number has more than {MAX_DIGITS} digits", node)
        return value

    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value if isinstance(node, MappingNode) else ():
            if key_node.tag == _MERGE:
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str | int | float | bool | None):
                raise _wrong("a key must be a text, a number, true, false or null", key_node)
            if key in seen:
                raise _wrong(f"the key '{_text_of(key_node)}' comes twice", key_node)
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """Return SafeLoader's, with numbers such as 1e-3 and without dates."""
    dates = "tag:yaml.org,2002:timestamp"
    resolvers = {
        first: [item for item in some if item[0] != dates] for first, some in SafeLoader.yaml_implicit_resolvers.items()
    }
    for first in "-+0123456789":
        resolvers[first] = [(_FLOAT, EXPONENT), *resolvers.get(first, [])]
    return resolvers


_StrictLoader.yaml_implicit_resolvers = _resolvers()


def _check_size(root: Node) -> None:
    """Raise ConstructorError where aliases written out give too many values or levels, or one holds itself."""
    measured: dict[int, tuple[int, int]] = {}
    open_nodes: set[int] = set()

    def measure(node: Node) -> tuple[int, int]:
        """Return how many values and how many levels the node has."""
        if id(node) in measured:
            return measured[id(node)]
        if id(node) in open_nodes:
            raise _wrong("an alias stands within what it stands for", node)
        open_nodes.add(id(node))
        parts = [measure(child) for child in _children(node)]
        num, depth = 1 + sum(size for size, _ in parts), 1 + max((depth for _, depth in parts), default=0)
        if num > MAX_NODES or depth > MAX_DEPTH:
            bound = f"{MAX_NODES} values" if num > MAX_NODES else f"{MAX_DEPTH} levels"
            raise _wrong(f"with its aliases written out it has more than {bound}", node)
        measured[id(node)] = num, depth
        return num, depth

    measure(root)


def _children(node: Node) -> list[Node]:
    if isinstance(node, MappingNode):
        return [item for pair in node.value for item in pair]
    return list(node.value) if isinstance(node, SequenceNode) else []


def _wrong(problem: str, where: Any) -> ConstructorError:
    return ConstructorError(None, None, problem, where.start_mark)


def _text_of(node: Node) -> str:
    text = node.value if isinstance(node.value, str) else "a list or a mapping"
    return text if len(text) <= 40 else f"{text[:40]}..."


def _short(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")


def reason_of(cause: Exception) -> str:
    """Return a parser's words in one line: the place, ", line 3, column 1: ", then what is wrong."""
    mark = getattr(cause, "problem_mark", None) or getattr(cause, "context_mark", None)
    problem = getattr(cause, "problem", None) or " ".join(str(cause).split()) or "it is nested too deep"
    context = getattr(cause, "context", None)
    place = "" if mark is None else f", line {mark.line + 1}, column {mark.column + 1}"
    tabs = ": indent with spaces, YAML does not allow tabs" if "'\\t'" in problem else ""
    return f"{place}: {f'{context}, ' if context else ''}{problem}{tabs}"
