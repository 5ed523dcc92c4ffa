"""From a template and what it shows to a page that needs no other file."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dfwe.io.files import write_text

_TEMPLATES = "templates"


def render(template: str, **shown: Any) -> str:
    """The page; everything in it that is no `Markup` is escaped.

    Style and script stand in the page. Its content security policy lets a browser run that one script, by its digest,
    and fetch nothing: what a user's text smuggles in is inert even if an escape were forgotten.
    """
    script = _file("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'"
    environment = Environment(
        loader=PackageLoader("dfwe.report.html", _TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["breakable"] = _breakable
    page = environment.get_template(template)
    return page.render(style=Markup(_file("page.css")), script=Markup(script), policy=Markup(policy), **shown)


def write_page(path: Path, *, content: str, through: bool = False) -> None:
    """Write the page, whole or not at all; `through` as in `dfwe.io.files.replacing`."""
    write_text(path, content, through=through)


def _breakable(text: str) -> Markup:
    """The text, escaped, that may go on in the next line after an underscore, as names of tasks have them."""
    return Markup("_<wbr>").join(text.split("_"))


def _file(name: str) -> str:
    return files("dfwe.report.html").joinpath(_TEMPLATES, name).read_text(encoding="utf8")
