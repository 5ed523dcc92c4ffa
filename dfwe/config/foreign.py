"""From what a stranger wrote to objects: the one place that decides what may be made of a file's contents.

Nothing is interpolated: `${...}` in a file is a text. Which classes a file may name follows from types alone. The
caller asks for a kind, one of dfwe's interfaces; the file may name dfwe's own implementations of it, and below that
whatever the constructor's fields are annotated with. Everything else in the file is plain data of the annotated type.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from pathlib import Path
from pkgutil import resolve_name
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from dfwe.errors import ConfigurationError, DfweError, ModelError
from dfwe.io.strict_yaml import read_yaml

T = TypeVar("T")
Error = type[DfweError]

TARGET = "_target_"
_NAME = re.compile(r"(dfwe(?:\.[a-z][a-z0-9_]*)+)\.([A-Z][A-Za-z0-9]*)", re.ASCII)
_INTERPOLATION = re.compile(r"\$\{(?P<up>\.*)(?P<path>[A-Za-z_]\w*(?:\.\w+)*)\}", re.ASCII)
_SPECIAL = re.compile(r"_\w*_")  # Hydra's _args_, _partial_, ...: none of them is obeyed here


def bind_foreign(config: Any, *, kind: type[T], where: str, error: Error = ModelError, **arguments: Any) -> T:
    """Return the object of that kind (an interface of dfwe's) that a file's contents describe.

    `where` says in messages whose contents they are, `arguments` are the caller's own for the outermost constructor.

    Raises:
        DfweError: of type `error` for a class that is not allowed there, or values that do not fit; else what the
            class's constructor raises.
    """
    built = _Binding(trusted=False, error=error).object(config, kind=kind, where=where, arguments=arguments)
    assert isinstance(built, kind)
    return built


def record(kind: type[T], content: Any, *, where: str, trusted: bool = False, error: Error = ModelError) -> T:
    """Return a plain dataclass whose fields a file's object holds, each of the annotated type; others are ignored.

    A field annotated with an interface is bound, as `bind_foreign` does; one annotated with `object` is left unchecked.
    """
    built = _Binding(trusted, error).record(content, kind=kind, where=where)
    assert isinstance(built, kind)
    return built


@dataclass(frozen=True)
class _Binding:
    trusted: bool
    error: Error

    def object(self, config: Any, *, kind: type, where: str, arguments: Mapping[str, Any]) -> Any:
        if not isinstance(config, Mapping) or TARGET not in config:
            raise self.error(f"{where} must be an object with `{TARGET}`, a {kind.__name__}, not {_described(config)}")
        make = self._made_by(config[TARGET], kind=kind, where=where)
        content = {key: value for key, value in config.items() if key != TARGET}
        for key in content:
            if not isinstance(key, str) or _SPECIAL.fullmatch(key):
                raise self.error(f"{where}: '{key}' is not an argument of {config[TARGET]}")
        values = self._values(make, content, raw=arguments, where=where)
        try:
            built = make(**values, **arguments)
        except TypeError as cause:
            raise self.error(f"{where}: {cause}") from cause
        if not isinstance(built, kind):
            raise self.error(f"{where}: '{config[TARGET]}' gives a {type(built).__name__}, expected a {kind.__name__}")
        return built

    def record(self, content: Any, *, kind: type, where: str) -> Any:
        if not isinstance(content, Mapping):
            raise self.error(f"{where} must be an object, not {_described(content)}")
        hints, parameters = get_type_hints(kind), fields(kind)
        lacking = [item.name for item in parameters if item.name not in content and _is_needed(item)]
        if lacking:
            raise self.error(f"{where} lacks `{lacking[0]}`")
        names = [item.name for item in parameters if item.name in content]
        return kind(**{name: self.value(content[name], hints[name], where=f"{where}, `{name}`") for name in names})

    def value(self, raw: Any, hint: Any, *, where: str) -> Any:
        """Return what is given, as the annotation has it."""
        origin, inner = get_origin(hint) or hint, get_args(hint)
        if hint is object:
            return raw
        if hint is Any:
            self._check_plain(raw, where=where)
            return raw
        if origin in (Union, UnionType):
            rest = [item for item in inner if item is not NoneType]
            if raw is None and len(rest) < len(inner):
                return None
            return self.value(raw, rest[0] if len(rest) == 1 else Any, where=where)
        if origin is Literal and isinstance(raw, str) and raw in inner:
            return raw
        if origin in (str, bool, int) and type(raw) is origin:
            return raw
        if origin is float and type(raw) in (int, float):
            return float(raw)
        if isinstance(origin, type) and issubclass(origin, Mapping) and isinstance(raw, Mapping):
            self._check_keys(raw, where=where)
            of = inner[1] if inner else Any
            return {key: self.value(item, of, where=f"{where}, `{key}`") for key, item in raw.items()}
        if isinstance(origin, type) and issubclass(origin, Sequence) and origin is not str and isinstance(raw, list):
            of = inner[0] if inner else Any
            return [self.value(item, of, where=where) for item in raw]
        if isinstance(origin, type) and inspect.isabstract(origin) and not origin.__module__.startswith("collections"):
            return self.object(raw, kind=origin, where=where, arguments={})
        if is_dataclass(origin) and isinstance(origin, type):
            return self.record(raw, kind=origin, where=where)
        raise self.error(f"{where} must be {_words(hint)}, not {_described(raw)}")

    def _made_by(self, name: Any, *, kind: type, where: str) -> Callable[..., Any]:
        found = _own_class(name, kind=kind)
        if found is not None:
            return found
        if not self.trusted:
            raise self.error(
                f"{where} names '{_short(name)}', which is not a {kind.__name__} of dfwe: nothing else is run from a "
                "file; add --trust if you know who wrote it"
            )
        try:
            called: Callable[..., Any] = resolve_name(name)
        except (ImportError, AttributeError, ValueError, TypeError) as cause:
            raise self.error(f"{where} names '{_short(name)}', which cannot be imported: {cause}") from cause
        if not callable(called):
            raise self.error(f"{where} names '{name}', which is not a class")
        return called

    def _values(
        self, make: Callable[..., Any], content: Mapping[str, Any], *, raw: Mapping[str, Any], where: str
    ) -> dict[str, Any]:
        """Return the constructor's arguments; of trusted code that is not a dataclass types are not known."""
        if not is_dataclass(make):
            return {key: self._trusted_value(item, where=where) for key, item in content.items()}
        assert isinstance(make, type)
        hints, known = get_type_hints(make), {item.name: _is_needed(item) for item in fields(make) if item.init}
        for key in content:
            if key not in known:
                raise self.error(f"{where}: '{key}' is not an argument of {make.__name__}: it has {', '.join(known)}")
        for key, needed in known.items():
            if needed and key not in content and key not in raw:
                raise self.error(f"{where} lacks `{key}`, which {make.__name__} needs")
        return {key: self.value(item, hints[key], where=f"{where}, `{key}`") for key, item in content.items()}

    def _trusted_value(self, raw: Any, *, where: str) -> Any:
        if isinstance(raw, Mapping) and TARGET in raw:
            return self.object(raw, kind=object, where=where, arguments={})
        if isinstance(raw, Mapping):
            return {key: self._trusted_value(item, where=where) for key, item in raw.items()}
        return [self._trusted_value(item, where=where) for item in raw] if isinstance(raw, list) else raw

    def _check_plain(self, raw: Any, *, where: str) -> None:
        """Raise where plain data name a class; no one would call it, but somebody expected so."""
        for item in raw if isinstance(raw, list) else raw.values() if isinstance(raw, Mapping) else ():
            self._check_plain(item, where=where)
        if isinstance(raw, Mapping):
            self._check_keys(raw, where=where)

    def _check_keys(self, raw: Mapping[Any, Any], *, where: str) -> None:
        if not all(isinstance(key, str) for key in raw):
            raise self.error(f"{where}: the keys must be texts")
        if TARGET in raw:
            raise self.error(f"{where} names '{_short(raw[TARGET])}', but only plain values may stand there")


def _own_class(name: Any, *, kind: type) -> type | None:
    """Return dfwe's own implementation of the kind that has this name; None where there is none.

    It lies in the interface's package, under its own name and not as something that a module imports; no other module
    is imported to find out.
    """
    parts = _NAME.fullmatch(name) if isinstance(name, str) else None
    package = kind.__module__.rpartition(".")[0]
    if parts is None or parts[1].rpartition(".")[0] != package:
        return None
    try:
        found = getattr(importlib.import_module(parts[1]), parts[2], None)
    except ModuleNotFoundError:
        return None
    if not isinstance(found, type) or (found.__module__, found.__qualname__) != (parts[1], parts[2]):
        return None
    complete = is_dataclass(found) and not inspect.isabstract(found)
    return found if complete and issubclass(found, kind) else None


def _is_needed(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _words(hint: Any) -> str:
    names = {str: "a text", bool: "true or false", int: "a whole number", float: "a number", NoneType: "null"}
    if get_origin(hint) is Literal:
        return f"one of {', '.join(map(str, get_args(hint)))}"
    origin = get_origin(hint) or hint
    if origin in names:
        return names[origin]
    return "an object" if isinstance(origin, type) and issubclass(origin, Mapping) else "a list"


def _described(raw: Any) -> str:
    return _short(raw) if isinstance(raw, str | int | float | bool | None) else _words(type(raw))


def _short(raw: Any) -> str:
    text = str(raw)
    return text if len(text) <= 60 else f"{text[:60]}..."


def read_foreign_yaml(path: Path) -> Mapping[str, Any]:
    """Return a task's YAML as plain values, `${...}` replaced where it names another value of the same file.

    Resolvers (`${oc.env:...}`, `${oc.create:...}`) are refused, and so is what leads to another `${...}`: a few of
    these would make gigabytes.

    Raises:
        ConfigurationError: the file is broken, or has a `${...}` that is not allowed or leads nowhere.
    """
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path} must hold a task: `name`, `labels`, `prompt` and more")
    resolved = _resolved(content, above=(), where=str(path))
    assert isinstance(resolved, Mapping)
    return resolved


def _resolved(value: Any, *, above: tuple[Any, ...], where: str) -> Any:
    """Return the value, `above` being the containers that it stands in, the outermost first."""
    if isinstance(value, dict):
        return {key: _resolved(item, above=(*above, value), where=f"{where}, `{key}`") for key, item in value.items()}
    if isinstance(value, list):
        return [_resolved(item, above=(*above, value), where=where) for item in value]
    if not isinstance(value, str) or "${" not in value:
        return value
    whole = _INTERPOLATION.fullmatch(value)
    if whole:
        return _named(whole, above=above, where=where)
    text = _INTERPOLATION.sub(lambda match: str(_named(match, above=above, where=where)), value)
    if "${" in _INTERPOLATION.sub("", value):
        raise ConfigurationError(
            f"{where}: '{value[:60]}' is not run from a file: only `${{name}}` of a value beside it"
        )
    return text


def _named(match: re.Match[str], *, above: tuple[Any, ...], where: str) -> Any:
    up = len(match["up"])
    if up > len(above):
        raise ConfigurationError(f"{where}: '{match[0]}' leads out of the file")
    value = above[-up] if up else above[0]
    for key in match["path"].split("."):
        if not isinstance(value, dict) or key not in value:
            raise ConfigurationError(f"{where}: '{match[0]}' names no value of the file")
        value = value[key]
    if _interpolates(value):
        raise ConfigurationError(f"{where}: '{match[0]}' leads to another `${{...}}`: name the value itself")
    return value


def _interpolates(value: Any) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (isinstance(value, str) and "${" in value) or any(map(_interpolates, parts))
