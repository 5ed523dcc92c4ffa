"""What a class or function takes, read from its source: no module runs, so that wrong values show before torch loads.

Annotations are resolved through the module's own names and imports. A name that leads to a class gives `Part`, one that
leads nowhere (or into a library) `Any`.
"""

from __future__ import annotations

import ast
import builtins
import collections.abc
import importlib.util
import pathlib
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

from dfwe.values import allowed

_LIGHT = {module.__name__: module for module in (typing, collections.abc, pathlib, allowed)}


class Part:
    """An object that a configuration describes by its `_target_`."""


@dataclass(frozen=True)
class Signature:
    """The annotations of a constructor's or function's parameters, by their names."""

    parameters: Mapping[str, Any]
    open: bool  # takes other keywords, too


class NotThereError(LookupError):
    """A module was read, and has no class or function of the name."""


@cache
def signature(target: str) -> Signature | None:
    """Return what the class or function takes, None where there is no source to tell.

    Raises:
        NotThereError: the module has nothing of that name, or is no module of a package of ours.
    """
    module, _, name = target.rpartition(".")
    source = _source(module)
    if source is None:
        if target.startswith("dfwe.") or _spec(module.partition(".")[0]) is None:
            raise NotThereError(target)
        return None
    definition = source.find(name)
    if isinstance(definition, _Definition):
        return _signature(definition)
    if definition is None and not source.names_everything:
        raise NotThereError(target)
    return None


@dataclass(frozen=True)
class _Definition:
    """A class or function, and the module that it is read in."""

    node: ast.ClassDef | ast.FunctionDef
    module: _Module


@dataclass(frozen=True)
class _Module:
    """A module's top level by the names it defines; `imports` are the modules and names that others come from."""

    defined: Mapping[str, ast.stmt]
    imports: Mapping[str, tuple[str, str]]
    names_everything: bool  # has a star import, or a __getattr__

    def find(self, name: str) -> Any:
        """Return what the name stands for: a _Definition, an annotation, None where that is unknown."""
        node = self.defined.get(name)
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            return _Definition(node, self)
        if isinstance(node, ast.Assign | ast.AnnAssign):
            return self.annotation(node.value)
        if name in self.imports:
            return _imported(*self.imports[name])
        return None

    def annotation(self, node: ast.expr | None) -> Any:
        """Return the annotation, `Any` where there is none that can be resolved."""
        if node is None:
            return Any
        try:
            return eval(compile(ast.Expression(node), "annotation", "eval"), {}, _Names(self))
        except (AttributeError, KeyError, NameError, SyntaxError, TypeError, ValueError):  # of a library's: not known
            return Any


class _Names(dict[str, Any]):
    """What the names in a module's annotations stand for."""

    def __init__(self, module: _Module) -> None:
        super().__init__()
        self._module = module

    def __missing__(self, name: str) -> Any:
        definition = self._module.find(name)
        if isinstance(definition, _Definition):
            return Part if isinstance(definition.node, ast.ClassDef) else Any
        return vars(builtins).get(name, Any) if definition is None else definition


def _imported(module: str, name: str) -> Any:
    if module in _LIGHT:
        return getattr(_LIGHT[module], name, None)
    source = _source(module) if module.partition(".")[0] == "dfwe" else None
    return Any if source is None else source.find(name)


@cache
def _source(module: str) -> _Module | None:
    path = _file(module)
    if path is None:
        return None
    try:
        tree = ast.parse(path.read_text(encoding="utf8"))
    except (SyntaxError, ValueError, OSError):  # importing it says more
        return None
    return _read(tree)


def _file(module: str) -> Path | None:
    """Return the module's file; its packages are looked up, not imported."""
    first, *rest = module.split(".")
    spec = _spec(first)
    if spec is None:
        return None
    paths = [Path(folder, *rest) for folder in spec.submodule_search_locations or ()] if rest else []
    files = [file for path in paths for file in (path.with_suffix(".py"), path / "__init__.py")]
    if not rest and spec.origin is not None:
        files = [Path(spec.origin)]
    return next((file for file in files if file.suffix == ".py" and file.is_file()), None)


def _spec(package: str) -> ModuleSpec | None:
    """Return where a top-level package or module lies; None where there is none of the name."""
    try:
        return importlib.util.find_spec(package) if package else None
    except (ImportError, ValueError):
        return None


def _read(tree: ast.Module) -> _Module:
    defined: dict[str, ast.stmt] = {}
    imports: dict[str, tuple[str, str]] = {}
    for node in _top_level(tree.body):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            defined[node.name] = node
        elif isinstance(node, ast.Assign):
            defined |= {target.id: node for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            defined[node.target.id] = node
        elif isinstance(node, ast.ImportFrom):
            imports |= {alias.asname or alias.name: (node.module or "", alias.name) for alias in node.names}
    return _Module(defined, imports, "*" in imports or "__getattr__" in defined)


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield statements, those under `if TYPE_CHECKING:` and in `try:`, too."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try):
            yield from _top_level(node.body)


def _signature(definition: _Definition) -> Signature:
    if isinstance(definition.node, ast.FunctionDef):
        return _of_arguments(definition.node.args, module=definition.module, skip=0)
    classes = list(_with_bases(definition))
    for place, item in enumerate(classes):
        assert isinstance(item.node, ast.ClassDef)
        for node in item.node.body:
            if isinstance(node, ast.FunctionDef) and node.name == "__init__":
                return _of_arguments(node.args, module=item.module, skip=1)
        if _is_dataclass(item.node):
            return Signature(_fields(classes[place:]), open=False)
    return Signature({}, open=False)


def _with_bases(definition: _Definition) -> Iterator[_Definition]:
    """Yield the class and those that it inherits from, in the order in which attributes are looked up, nearly."""
    yield definition
    assert isinstance(definition.node, ast.ClassDef)
    for base in definition.node.bases:
        name = base.value if isinstance(base, ast.Subscript) else base
        inherited = definition.module.find(name.id) if isinstance(name, ast.Name) else None
        if isinstance(inherited, _Definition) and isinstance(inherited.node, ast.ClassDef):
            yield from _with_bases(inherited)


def _is_dataclass(node: ast.ClassDef) -> bool:
    return any(
        isinstance(name := item.func if isinstance(item, ast.Call) else item, ast.Name) and name.id == "dataclass"
        for item in node.decorator_list
    )


def _fields(classes: list[_Definition]) -> dict[str, Any]:
    """Return the annotations of a dataclass's fields that have a parameter, those of its bases first."""
    fields: dict[str, Any] = {}
    for item in reversed(classes):
        assert isinstance(item.node, ast.ClassDef)
        for node in item.node.body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and _is_parameter(node):
                fields[node.target.id] = item.module.annotation(node.annotation)
    return fields


def _is_parameter(node: ast.AnnAssign) -> bool:
    if "ClassVar" in ast.unparse(node.annotation):
        return False
    options = node.value.keywords if isinstance(node.value, ast.Call) else []
    return not any(item.arg == "init" and ast.unparse(item.value) == "False" for item in options)


def _of_arguments(arguments: ast.arguments, *, module: _Module, skip: int) -> Signature:
    named = [*arguments.posonlyargs, *arguments.args][skip:] + arguments.kwonlyargs
    parameters = {item.arg: module.annotation(item.annotation) for item in named}
    if arguments.kwarg is not None:  # what is known of others
        rules = getattr(module.annotation(arguments.kwarg.annotation), "__metadata__", ())
        parameters |= {name: item for one in rules for name, item in one.annotations.items()}
    return Signature(parameters, open=arguments.kwarg is not None)
