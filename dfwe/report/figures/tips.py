"""What is read on hovering over a mark of a picture: titles in its SVG, which need no script."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from html import escape

from matplotlib.artist import Artist

_MARK = "tips:"
_GROUP = re.compile(f'(<g) id="{_MARK}([\\w=-]*)"')
_SHAPES = re.compile(r"<defs>.*?</defs>|<(use|path)\s[^>]*/>", re.DOTALL)


def tip(artist: Artist, texts: Sequence[str]) -> None:
    """Give an artist's marks their texts, in the order in which it draws them; a line is drawn before its markers."""
    artist.set_gid(_MARK + urlsafe_b64encode(json.dumps(list(texts)).encode()).decode())


def with_tips(svg: str) -> str:
    """Return the drawing with the texts as titles of its marks."""
    before, *groups = _GROUP.split(svg)
    parts = [before]
    for start, texts, rest in zip(groups[::3], groups[1::3], groups[2::3], strict=True):
        parts += [start, _titled(rest, texts=json.loads(urlsafe_b64decode(texts)))]
    return "".join(parts)


def _titled(drawing: str, *, texts: Sequence[str]) -> str:
    """The first shapes of the drawing, one a text, with their titles."""
    left = list(texts)

    def titled(found: re.Match[str]) -> str:
        if found[1] is None or not left:  # a definition is drawn where it is used
            return found[0]
        return f"{found[0].removesuffix('/>')}><title>{escape(left.pop(0))}</title></{found[1]}>"

    return _SHAPES.sub(titled, drawing)
