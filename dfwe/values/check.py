"""Checks a configuration's values against annotations; one line names the key, the value, and what is allowed."""

from __future__ import annotations

import difflib
import json
import math
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from dfwe.errors import ConfigurationError, did_you_mean
from dfwe.values.allowed import As, Known, Name, OneOf
from dfwe.values.signature import NotThereError, Part, signature

_MISSING = "???"  # OmegaConf's: asked for elsewhere
_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", Part: "a part (a _target_)"}
_OF_HYDRA = frozenset(("_target_", "_partial_", "_recursive_", "_convert_", "_args_"))
_TARGET = "_target_"
_UNIONS = (Union, types.UnionType)
_ALIKE = 0.7  # of difflib's ratio, from which a word may be another misspelt
_LONGEST = 60  # characters of a value that a message shows


def check(value: Any, annotation: Any, *, key: str) -> None:
    """Check the value, and all in it, against an annotation: a type, a dataclass with annotated fields, ...

    A mapping with `_target_` is checked against what that class takes. Numbers are finite everywhere.

    Raises:
        ConfigurationError: a value that is not allowed, or a key that there is not; `key` begins the message.
    """
    if value == _MISSING:
        return
    alternatives = tuple(_alternatives(annotation))
    if Any in alternatives or not alternatives:
        _check_inside(value, key=key)
        return
    fitting = [item for item in alternatives if _fits(value, item)]
    if not fitting:
        raise _refused(key, value, annotation)
    _check_as(value, fitting[0], key=key)
    failing = [[rule for rule in _rules(item) if not rule.holds(value)] for item in fitting]
    if all(failing):
        raise _refused(key, value, annotation, rules=failing[0] if len(alternatives) == 1 else ())


def check_part(config: Mapping[str, Any], *, key: str) -> None:
    """Check what a `_target_` is made of against what its class takes.

    Raises:
        ConfigurationError: a class that is not there, a key that it does not take, a value that it does not allow.
    """
    target = config[_TARGET]
    if not isinstance(target, str):
        raise ConfigurationError(f"{said(_below(key, _TARGET), target)}: expected the full name of a class")
    try:
        takes = signature(target)
    except NotThereError:
        message = f"{said(_below(key, _TARGET), target)}: there is no such class or function"
        is_own = "." in target and not target.startswith("dfwe.")
        remedy = "; set PYTHONPATH to the folder of a module of your own" if is_own else ""
        raise ConfigurationError(message + remedy) from None
    settings = {name: value for name, value in config.items() if name not in _OF_HYDRA}
    if takes is None:
        _check_inside(settings, key=key)
        return
    for name, value in settings.items():
        if name not in takes.parameters and not takes.open:
            raise unknown_key(name, known=tuple(takes.parameters), key=key)
        check(value, takes.parameters.get(name, Any), key=_below(key, name))


def unknown_key(name: Any, *, known: Iterable[str], key: str, deeper: Iterable[str] = ()) -> ConfigurationError:
    """Return the error of a key that there is not; `deeper` are keys of that name further below."""
    choices, meant = sorted(known), list(deeper)
    meant = meant or difflib.get_close_matches(str(name), choices, n=1, cutoff=_ALIKE)
    hint = f" (did you mean {' or '.join(meant)}?)" if meant else ""
    there = ", ".join(choices) or "no settings"
    return ConfigurationError(f"{_below(key, name)}: there is no such key{hint}; {key or 'a study'} has {there}")


def said(key: str, value: Any) -> str:
    """Return `key=value` as a user would write it, cut where it is long."""
    written = json.dumps(value) if isinstance(value, bool | None) else str(value)
    text = "".join(c if c.isprintable() else " " for c in written)
    return f"{key}={text if len(text) <= _LONGEST else text[: _LONGEST - 3] + '...'}"


def words(annotation: Any) -> str:
    """Return what an annotation allows, in words."""
    alternatives = list(_alternatives(annotation))
    kinds = [_words(item) for item in alternatives if item is not type(None)]
    return " or ".join(dict.fromkeys([*kinds, *(["null"] if type(None) in alternatives else [])]))


def _words(annotation: Any) -> str:
    text = _kind_words(_kind(annotation))
    for rule in _rules(annotation):
        text = rule.text(text)
    return text


def _kind_words(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return OneOf(*map(str, get_args(kind))).text("")
    if _is_list(kind):
        return f"a list, each {words(get_args(kind)[0])}" if get_args(kind) else "a list"
    if is_dataclass(kind):
        return f"{{{', '.join(field.name for field in fields(kind))}}}"
    return "a mapping" if _is_mapping(kind) else _KINDS.get(kind, "a value")


def _refused(key: str, value: Any, annotation: Any, *, rules: Sequence[Any] = ()) -> ConfigurationError:
    """Return the error of a value; `rules` are those that fail, where its kind is right."""
    alternatives = tuple(_alternatives(annotation))
    expected = words(annotation)
    if rules:
        expected = rules[0].text(_kind_words(_kind(alternatives[0])))
    if isinstance(value, float) and not math.isfinite(value):
        expected = expected.replace("a number", "a finite number")
    return ConfigurationError(f"{said(key, value)}: expected {expected}{_hint(value, alternatives)}")


def _alternatives(annotation: Any) -> Iterable[Any]:
    """Yield the members of a union, as they are annotated."""
    metadata = getattr(annotation, "__metadata__", ())
    instead = next((item for item in metadata if isinstance(item, As)), None)
    if instead is not None:
        yield from _alternatives(instead.annotation)
    elif metadata and get_origin(_kind(annotation)) in _UNIONS:
        for item in get_args(_kind(annotation)):
            yield from _alternatives(Annotated[(item, *metadata)])
    elif get_origin(annotation) in _UNIONS:
        for item in get_args(annotation):
            yield from _alternatives(item)
    else:
        yield annotation


def _kind(annotation: Any) -> Any:
    """Return the annotation without what Annotated adds."""
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _rules(annotation: Any) -> list[Any]:
    return [item for item in getattr(annotation, "__metadata__", ()) if hasattr(item, "holds")]


def _fits(value: Any, annotation: Any) -> bool:
    """Return whether the value is of the kind; what is in it is looked at later."""
    kind = _kind(annotation)
    if kind is Any:
        return True
    if get_origin(kind) is Literal:
        return any(value == item and type(value) is type(item) for item in get_args(kind))
    if kind is Part:
        return isinstance(value, Mapping) and _TARGET in value
    if _is_mapping(kind) or is_dataclass(kind):
        return isinstance(value, Mapping)
    if _is_list(kind):
        return isinstance(value, Sequence) and not isinstance(value, str)
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if kind in (bool, str, type(None)):
        return isinstance(value, kind)
    return isinstance(value, str) if getattr(kind, "__module__", "") == "pathlib" else True


def _check_as(value: Any, annotation: Any, *, key: str) -> None:
    """Check what is in a list or mapping of the kind."""
    kind = _kind(annotation)
    if (known := _metadata(annotation, Known)) is not None:
        for name, item in value.items():
            check(item, known.annotations.get(name, Any), key=_below(key, name))
    elif is_dataclass(kind):
        _check_fields(value, kind, key=key)
    elif _is_list(kind):
        for place, item in enumerate(value):
            check(item, get_args(kind)[0] if get_args(kind) else Any, key=f"{key}[{place}]")
    elif _is_mapping(kind):
        names, values = get_args(kind) or (Any, Any)
        for name, item in value.items():
            _check_key(name, names, key=key)
            check(item, values, key=_below(key, name))
    else:
        _check_inside(value, key=key)


def _check_key(name: Any, annotation: Any, *, key: str) -> None:
    alternatives = tuple(_alternatives(annotation))
    if not any(_fits(name, item) and all(rule.holds(name) for rule in _rules(item)) for item in alternatives):
        raise ConfigurationError(f"{_below(key, name)}: expected as key {words(annotation)}{_hint(name, alternatives)}")


def _check_fields(value: Mapping[str, Any], kind: Any, *, key: str) -> None:
    hints = _hints(kind)
    for name, item in value.items():
        if name not in hints:
            raise unknown_key(name, known=hints, key=key, deeper=_deeper(name, hints, key=key))
        check(item, hints[name], key=_below(key, name))


def _deeper(name: Any, hints: Mapping[str, Any], *, key: str) -> Iterable[str]:
    """Yield the keys one level below that have the name."""
    for settings, hint in hints.items():
        for item in _alternatives(hint):
            if is_dataclass(_kind(item)) and name in _hints(_kind(item)):
                yield f"{_below(key, settings)}.{name}"


def _check_inside(value: Any, *, key: str) -> None:
    """Check a value of which nothing is known but that numbers are finite and parts what their classes take."""
    if isinstance(value, Mapping):
        if _TARGET in value:
            check_part(value, key=key)
            return
        for name, item in value.items():
            check(item, Any, key=_below(key, name))
    elif isinstance(value, list | tuple):
        for place, item in enumerate(value):
            check(item, Any, key=f"{key}[{place}]")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ConfigurationError(f"{said(key, value)}: expected a finite number")


def _metadata(annotation: Any, kind: type) -> Any:
    return next((item for item in getattr(annotation, "__metadata__", ()) if isinstance(item, kind)), None)


def _is_mapping(kind: Any) -> bool:
    return isinstance(origin := get_origin(kind) or kind, type) and issubclass(origin, Mapping)


def _is_list(kind: Any) -> bool:
    origin = get_origin(kind) or kind
    return isinstance(origin, type) and issubclass(origin, Sequence) and origin is not str


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _below(key: str, name: Any) -> str:
    return f"{key}.{name}" if key else str(name)


def _hint(value: Any, alternatives: Sequence[Any]) -> str:
    """Return what may have been meant."""
    kinds = [_kind(item) for item in alternatives]
    if isinstance(value, bool | int | float) and any(item in (str, Name) for item in alternatives):
        return "; YAML reads bare yes, no, on, off and numbers as other than texts: put it in quotes"
    choices = [str(item) for kind in kinds if get_origin(kind) is Literal for item in get_args(kind)]
    for item in alternatives:
        for rule in _rules(item):
            choices += list(getattr(rule, "choices", ()))
    return did_you_mean(str(value), choices)
