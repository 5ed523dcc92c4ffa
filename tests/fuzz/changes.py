"""Seeded damage to a good file: what strangers, editors, other tools and attackers do to one."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

DEEP = "\0deep"  # stands for a list nested so deep that Python's own writer could not write it
ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    3,
    2.5,
    -0.0,
    float("nan"),
    float("inf"),
    1e308,
    10**18,
    10**40,
    10**400,
    10**5000,
    "",
    " ",
    "nan",
    "None",
    "0",
    "../../etc",
    "/",
    "\x00",
    "a" * 3000,
    "[/old] \x1b[2J\u202e",
    "\ud800",
    "\u2028",
    "${oc.env:HOME}",
    [],
    {},
    [[]],
    [None],
    {"": None},
    ["a", 1, None],
    {"_target_": "os.getcwd"},
    DEEP,
)
SCRAPS = (
    b"\x00", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r", b"\n", b"\n\n", b"\t", b'"', b"'", b"\\",
    b"{", b"}", b"[", b"]", b",", b";", b":", b"|", b"-", b"#", b"&a", b"*a", b"!!int x", b"!!bool x", b"\\ud800",
    b"!!timestamp 2024-99-99", b"2024-99-99", b"<<: *a", b"---", b"...", b"NaN", b"null", b"1e400", b"-", b"9" * 5000,
    b"9" * 400, b"[" * 3000, b"{a: " * 200,
    "\u2028".encode(), "\x85".encode(), b"${", b"${a}", b"%", b"\x1b[2J", b"a" * 2000, b"- " * 300,
    b"a: &a [x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c]\n"
    b"e: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f]\n",
)  # fmt: skip

Draw = random.Random
Change = Callable[[bytes, Draw], bytes]


def changed(content: bytes, *, draw: Draw) -> bytes:
    """Return the content with one to three changes: of its bytes, of its lines, or of its values where it is JSON."""
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        content = draw.choice(_CHANGES)(content, draw)
    return content


def _flipped(content: bytes, draw: Draw) -> bytes:
    if not content:
        return b"\x00"
    at = draw.randrange(len(content))
    return content[:at] + bytes([draw.randrange(256)]) + content[at + 1 :]


def _cut(content: bytes, draw: Draw) -> bytes:
    return content[: draw.randrange(len(content) + 1)]


def _without_part(content: bytes, draw: Draw) -> bytes:
    start, end = sorted((draw.randrange(len(content) + 1), draw.randrange(len(content) + 1)))
    return content[:start] + content[min(end, start + 40) :]


def _with_scrap(content: bytes, draw: Draw) -> bytes:
    at = draw.randrange(len(content) + 1)
    return content[:at] + draw.choice(SCRAPS) + content[at:]


def _lines_moved(content: bytes, draw: Draw) -> bytes:
    lines = content.split(b"\n")
    one = draw.randrange(len(lines))
    how = draw.randrange(3)
    if how == 0:
        lines.insert(draw.randrange(len(lines) + 1), lines[one])
    elif how == 1:
        del lines[one]
    else:
        draw.shuffle(lines)
    return b"\n".join(lines)


def _token_replaced(content: bytes, draw: Draw) -> bytes:
    """Replace a word (a number, a key, a cell) by an odd value as text."""
    words = content.replace(b"\n", b" ").split()
    if not words:
        return b"x"
    return content.replace(draw.choice(words), dumped(draw.choice(ODD_VALUES)).encode("utf-8", "surrogatepass"), 1)


def _json_changed(content: bytes, draw: Draw) -> bytes:
    """Replace, remove or repeat one value of a JSON text, or of one of its lines; other texts get a scrap."""
    lines = [content] if draw.random() < 0.5 else content.split(b"\n")
    at = draw.randrange(len(lines))
    try:
        value = json.loads(lines[at])
    except (ValueError, RecursionError):
        return _with_scrap(content, draw)
    lines[at] = dumped(_value_changed(value, draw)).encode("utf-8", "surrogatepass")
    return b"\n".join(lines)


def _value_changed(value: Any, draw: Draw) -> Any:
    places: list[tuple[Any, Any]] = []
    todo = [value]
    while todo:
        part = todo.pop()
        keys = part if isinstance(part, dict) else range(len(part)) if isinstance(part, list) else ()
        places += [(part, key) for key in keys]
        todo += [part[key] for key in keys]
    if not places:
        return draw.choice(ODD_VALUES)
    holder, key = draw.choice(places)
    how = draw.randrange(6)
    if how == 0:
        del holder[key]
    elif how == 1 and isinstance(holder, dict):
        holder[draw.choice(("", "x", "\ud800", "[/x]", key + "_"))] = holder.pop(key)
    elif how == 1:
        holder.insert(0, holder[key])
    else:
        holder[key] = draw.choice(ODD_VALUES)
    return value


def dumped(value: Any) -> str:
    """Return JSON that may hold what JSON has not: NaN, numbers of 5,000 digits, nesting of any depth."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(key))}: {dumped(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(dumped(part) for part in value) + "]"
    if value == DEEP:
        return "[" * 3000 + "]" * 3000
    if isinstance(value, int) and abs(value) > 10**400:
        return "9" * 5000
    return json.dumps(value)


_CHANGES: tuple[Change, ...] = (
    _flipped, _cut, _without_part, _with_scrap, _with_scrap, _lines_moved, _token_replaced,
    _json_changed, _json_changed, _json_changed, _json_changed,
)  # fmt: skip
