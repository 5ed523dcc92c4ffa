"""Check models from elsewhere before a study loads one: as `dfwe preflight`, and whether they suit the target."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from dfwe.errors import DfweError
from dfwe.families.base import ModelFamily
from dfwe.merging.files.findings import Finding, Preflight
from dfwe.merging.files.preflight import preflight
from dfwe.merging.files.tokenizers.aligned_vocabularies import TokenizerSource
from dfwe.models.external import ExternalModel
from dfwe.models.folders import CONFIG
from dfwe.models.loading import load_config

log = logging.getLogger(__name__)

_LATER = "its weights are checked as they are copied"


def check_experts(
    experts: Mapping[str, ExternalModel],
    *,
    base: ExternalModel | None,
    parent: Path | None,
    family: ModelFamily,
    tokenizer: TokenizerSource | None = None,
) -> None:
    """Check experts, their base model, and that the family can ask them; warnings go to the log.

    `parent` is the folder that the study's models start from, which stands for a base model that is not named.

    Raises:
        MergeError: experts that cannot be merged, with the first reason.
        ModelError: an expert, or the base model's tokenizer, does not suit the target or how it is asked.
        NetworkError: a repository on the Hub cannot be reached.
    """
    if parent is not None:
        family.check_base_folder(parent)
    if base is not None and not base.path.exists():
        load_config(base.name)  # a repository
    result = findings_of(experts, base=base, parent=parent, family=family, tokenizer=tokenizer)
    for finding in result.of("unchecked"):
        log.info("preflight: %s", finding)
    for finding in result.of("warning"):
        log.warning("preflight: %s", finding)
    result.check()
    for name, external in experts.items():
        try:
            family.check_external(external)
        except DfweError as error:
            raise type(error)(f"{name}: {error}") from error


def findings_of(
    experts: Mapping[str, ExternalModel],
    *,
    base: ExternalModel | None,
    parent: Path | None,
    family: ModelFamily,
    tokenizer: TokenizerSource | None = None,
) -> Preflight:
    """Return what preflight finds in those models whose form it reads; the others are `unchecked`."""
    folder = _base_folder(experts, base=base, parent=parent, family=family)
    unread = {name: why for name, model in experts.items() if (why := _unread(model, has_base=folder is not None))}
    read = {name: model.path for name, model in experts.items() if name not in unread}
    result = preflight(read, base=folder, out=family.context.store.root, is_study=True, tokenizer=tokenizer)
    unchecked = [Finding("files", name, "unchecked", why) for name, why in unread.items()]
    return Preflight((*result.findings, *unchecked), result.distances, result.cosines)


def _base_folder(
    experts: Mapping[str, ExternalModel], *, base: ExternalModel | None, parent: Path | None, family: ModelFamily
) -> Path | None:
    """Return the folder that experts are compared with, if it holds all that they do: an encoder lacks the head."""
    if base is not None:
        is_local = base.form == "model" and base.path.is_dir()
        return base.path if is_local and family.can_be_asked(base) else None
    if parent is None or not family.can_be_asked(ExternalModel(str(parent))):
        return None
    is_expert = any(model.path.resolve() == parent.resolve() for model in experts.values())
    return None if is_expert else parent


def _unread(model: ExternalModel, *, has_base: bool) -> str | None:
    """Return why preflight cannot read the model; None where it can."""
    if model.form == "lightning":
        return f"{model.name} is a checkpoint of Lightning's: {_LATER}"
    if model.form == "model" and not model.path.exists():
        return f"{model.name} is a repository on the Hub: {_LATER}"
    if model.form == "file" and model.path.is_dir():
        return f"{model.name} is an entry of a store: {_LATER}"
    has_config = model.form == "file" and (model.path.parent / CONFIG).exists()
    if model.form in ("file", "adapter") and not has_base and not has_config:
        return f"{model.name} has no base model of the same kind to be compared with: {_LATER}"
    return None
