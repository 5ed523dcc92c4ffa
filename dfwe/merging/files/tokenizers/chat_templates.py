"""Choose the chat template of a merge: the models' most frequent one, a known one by its name, or a text."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from dfwe.errors import MergeError
from dfwe.io.files import read_text, write_json
from dfwe.io.strict_json import read_json_object
from dfwe.models.folders import TOKENIZER_CONFIG, model_folder

log = logging.getLogger(__name__)

FILE = "chat_template.jinja"
_TEMPLATES = {
    "chatml": (
        "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + "
        "'<|im_end|>' + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
    ),
    "llama3": (
        "{{ bos_token }}{% for message in messages %}{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>"
        "\\n\\n' + message['content'] | trim + '<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}"
        "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
    ),
}


def check_chat_template(template: str, *, where: str) -> None:
    """Raise MergeError for what is neither `auto`, the name of a known template, nor a template's text."""
    if template not in ("auto", *_TEMPLATES) and "{" not in template:
        raise MergeError(
            f"{where}: `chat_template: {template}` is unknown: expected auto, {', '.join(_TEMPLATES)}, or the text of "
            "a Jinja template"
        )


def write_chat_template(template: str, *, models: Sequence[Path], folder: Path) -> None:
    """Write the template into a merge's folder; warn where there is no tokenizer or no template."""
    settings = folder / TOKENIZER_CONFIG
    if not settings.exists():
        log.warning("the base model has no tokenizer: the recipe's chat_template is not written")
        return
    text = _most_frequent(models) if template == "auto" else _TEMPLATES.get(template, template)
    if text is None:
        log.warning("no model has a chat template: none is written into %s", folder)
        return
    content = read_json_object(settings, error=MergeError)
    if content.pop("chat_template", None) is not None:
        write_json(settings, content)
    (folder / FILE).write_text(text, encoding="utf-8")


def _most_frequent(models: Sequence[Path]) -> str | None:
    """Return the template that most models have, of several the first."""
    templates = Counter(text for model in models if (text := _template_of(model)) is not None)
    return templates.most_common(1)[0][0] if templates else None


def _template_of(model: Path) -> str | None:
    folder = model_folder(model)
    if folder is None:
        return None
    if (folder / FILE).exists():
        return read_text(folder / FILE, error=MergeError)
    path = folder / TOKENIZER_CONFIG
    text = read_json_object(path, error=MergeError).get("chat_template") if path.exists() else None
    return text if isinstance(text, str) else None
