"""Check that models can be merged before any work: from their files, without building one; seconds, not minutes."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import TypeVar

from dfwe.errors import MergeError, ModelError
from dfwe.merging.files.checked_models import CheckedModel, open_model
from dfwe.merging.files.compatibility import (
    Config,
    Misfit,
    architecture_misfit,
    label_misfit,
    main_dtype,
    named_labels,
    tensor_misfits,
)
from dfwe.merging.files.findings import ALL, Finding, Preflight
from dfwe.merging.files.resources import FreeSpace, free_space, resource_findings
from dfwe.merging.files.tied_tensors import with_common_names
from dfwe.merging.files.tokenizers.aligned_vocabularies import TokenizerSource, align
from dfwe.merging.files.vocabularies import Vocabulary, vocabulary_doubts, vocabulary_misfit
from dfwe.merging.files.weight_scan import WeightScan, are_equal, scan
from dfwe.models.folders import CONFIG, SINGLE

K = TypeVar("K")

BASE = "base"  # the subject of findings about the base model
FARTHEST, LOWEST_COSINE = 0.5, 0.9  # of an expert and its base; fine-tuning moves weights by a few hundredths
_ADVICE = re.compile(r"(.*)(?:; |: (?=if |expected |move |name ))(.*)", re.DOTALL)


def preflight(
    models: Mapping[str, Path],
    *,
    base: Path | None,
    free: FreeSpace | None = None,
    out: Path = Path(),
    is_study: bool = False,
    tokenizer: TokenizerSource | None = None,
) -> Preflight:
    """Check experts, by name, and their base model: files, architecture, tensors, tokenizers, labels, numbers, room.

    All compare with the base, or with the first model if no base is given. `free` is measured, on the disk of the
    folder `out`, unless given. Transformers is imported only where a field of config.json differs: it knows defaults.
    A study puts labels into one order by itself, and copies the experts to that disk. With `tokenizer` vocabularies are
    aligned first.
    """
    findings, paths = _distinct(models)
    opened = _open_all(paths, base=base, findings=findings)
    if not opened:
        return Preflight(tuple(findings), {}, {})
    opened, misfits = _with_common_names(opened)
    findings += misfits
    if tokenizer is not None:
        opened, tokens = _aligned(opened, source=tokenizer)
        findings += tokens
    if not findings:
        text = f"{len(opened)} models, the largest has {max(model.num_values for model in opened) / 1e6:.1f} M numbers"
        findings.append(Finding("files", ALL, "ok", text))
    for check in (_architectures, _tensors, partial(_labels, in_any_order=is_study), _dtypes):
        findings += check(opened)
    findings += _tokenizers(opened) if tokenizer is None else ()
    began = time.perf_counter()
    weights = scan([model.source for model in opened])
    seconds = time.perf_counter() - began
    has_base = opened[0].name == BASE and base is not None
    distances, cosines = _geometry(opened, weights, has_base=has_base)
    findings += [*_finite(opened, weights), *_whole_numbers(opened, weights), *_ancestor(opened, weights, has_base)]
    if cosines:
        text = f"their cosines are from {min(cosines.values()):.3f} to {max(cosines.values()):.3f}"
        findings.append(Finding("task vectors", ALL, "ok", text))
    findings += resource_findings(
        experts=sum(model.num_bytes for model in opened if model.name in paths),
        model=4 * max(model.num_values for model in opened),
        free=free or free_space(out),
        num_copies=len(paths) if is_study else 0,
    )
    read = sum(model.num_bytes for model in opened) / 1e9
    text = f"all weights were read in {seconds:.1f} s ({read:.2f} GB); each merge reads them, or a copy, once"
    findings.append(Finding("time", ALL, "ok", text))
    return Preflight(tuple(findings), distances, cosines)


def _distinct(models: Mapping[str, Path]) -> tuple[list[Finding], dict[str, Path]]:
    """Return a refusal for each folder that is named twice, and the models without repetitions."""
    names: dict[Path, str] = {}
    findings = []
    for name, path in models.items():
        folder = (path.parent if path.name == SINGLE else path).expanduser().resolve()
        if folder in names:
            text = f"{name} and {names[folder]} are one folder"
            findings.append(Finding("files", name, "refusal", text, "name each expert once"))
        names.setdefault(folder, name)
    return findings, {name: models[name] for name in names.values()}


def _open_all(paths: Mapping[str, Path], *, base: Path | None, findings: list[Finding]) -> list[CheckedModel]:
    """Return the base, if it is given, and the models that can be read; add a refusal for each other one."""
    opened: dict[str, CheckedModel] = {}
    cache: dict[str, Vocabulary] = {}
    for name, path in [*([(BASE, base)] if base is not None else []), *paths.items()]:
        try:
            opened[name] = open_model(name, path, base=opened.get(BASE) if base is not None else None, cache=cache)
        except ModelError as error:
            findings.append(_unreadable(name, error))
    return list(opened.values())


def _with_common_names(models: Sequence[CheckedModel]) -> tuple[list[CheckedModel], list[Finding]]:
    """Return the models with one set of names for tied tensors, and a refusal for each copy that differs."""
    sources, misfits = with_common_names([model.source for model in models])
    renamed = [replace(model, source=source) for model, source in zip(models, sources, strict=True)]
    return renamed, [_refusal(models[number], misfit) for number, misfit in misfits.items()]


def _aligned(models: Sequence[CheckedModel], *, source: TokenizerSource) -> tuple[list[CheckedModel], list[Finding]]:
    """Return the models with the rows of one tokenizer, or a refusal of tokenizers that cannot be aligned."""
    sources = [model.source for model in models]
    try:
        aligned, tokenizer = align(sources, base=sources[0] if models[0].name == BASE else None, source=source)
    except MergeError as error:
        text, _, remedy = str(error).partition(": ")
        return list(models), [Finding("tokenizer", ALL, "refusal", text, remedy)]
    pairs = zip(models, aligned, strict=True)
    text = f"all models get the {tokenizer.num_tokens} tokens of the {source}"
    return [replace(model, source=part) for model, part in pairs], [Finding("tokenizer", ALL, "ok", text)]


def _unreadable(name: str, error: ModelError) -> Finding:
    """Return the refusal of files that cannot be read; the error has the advice at its end."""
    match = _ADVICE.fullmatch(str(error))
    text, remedy = match.groups() if match else (str(error), "copy or download the model again")
    return Finding("files", name, "refusal", text, remedy)


def _refusal(model: CheckedModel, misfit: Misfit) -> Finding:
    return Finding(misfit.check, model.name, "refusal", misfit.text, misfit.remedy)


def _or_ok(findings: Sequence[Finding], check: str, text: str) -> Sequence[Finding]:
    return findings or (Finding(check, ALL, "ok", text),)


def _compare(
    models: Sequence[CheckedModel], misfit_of: Callable[[tuple[Path, Config], tuple[Path, Config]], Misfit | None]
) -> list[Finding]:
    """Return the refusals of models whose configurations do not fit the first one's."""
    pairs = [(model, misfit_of((models[0].path, models[0].config), (model.path, model.config))) for model in models[1:]]
    return [_refusal(model, misfit) for model, misfit in pairs if misfit is not None]


def _architectures(models: Sequence[CheckedModel]) -> Sequence[Finding]:
    kind = models[0].config.get("model_type", "unknown")
    return _or_ok(_compare(models, architecture_misfit), "architecture", f"type {kind}, with the same settings")


def _labels(models: Sequence[CheckedModel], *, in_any_order: bool) -> Sequence[Finding]:
    named = [(model, labels) for model in models if (labels := named_labels(model.config)) is not None]
    if not named:
        return (Finding("labels", ALL, "ok", f"no {CONFIG} names labels"),)
    refusals = _compare([model for model, _ in named], label_misfit)
    text = f"{', '.join(named[0][1])}, in this order"
    if in_any_order and any(refusal.check == "label order" for refusal in refusals):
        refusals = [refusal for refusal in refusals if refusal.check != "label order"]
        text = f"{', '.join(named[0][1])}, which the study puts into one order"
    return _or_ok(refusals, "labels", text)


def _tensors(models: Sequence[CheckedModel]) -> Sequence[Finding]:
    first = models[0].source
    misfits = [(model, misfit) for model in models[1:] for misfit in tensor_misfits(first, model.source)]
    findings = [_refusal(model, misfit) for model, misfit in misfits]
    return _or_ok(findings, "tensors", f"{len(first.names)} tensors of the same names and shapes")


def _tokenizers(models: Sequence[CheckedModel]) -> Sequence[Finding]:
    with_one = [(model, model.vocabulary) for model in models if model.vocabulary is not None]
    if not with_one:
        remedy = "copy tokenizer.json and tokenizer_config.json from their base model"
        return (Finding("tokenizer", ALL, "refusal", "no model has a tokenizer", remedy),)
    (first, vocabulary), *others = with_one
    findings = [_without_tokenizer(model, first) for model in models if model.vocabulary is None]
    for model, other in others:
        a, b = (first.path, vocabulary), (model.path, other)
        if (misfit := vocabulary_misfit(a, b)) is not None:
            findings.append(_refusal(model, misfit))
        else:
            doubts = vocabulary_doubts(a, b)
            findings += [Finding(doubt.check, model.name, "warning", doubt.text, doubt.remedy) for doubt in doubts]
    findings += [finding for model, other in with_one for finding in _embeddings(model, other)]
    size = f"{vocabulary.num_tokens} tokens, " if vocabulary.num_tokens else ""
    return _or_ok(findings, "tokenizer", f"one vocabulary ({size}digest {vocabulary.name})")


def _without_tokenizer(model: CheckedModel, other: CheckedModel) -> Finding:
    text = f"{model.path} has no tokenizer: whether its tokens are those of {other.path} cannot be checked"
    return Finding("tokenizer", model.name, "refusal", text, "copy the tokenizer's files that it was trained with")


def _embeddings(model: CheckedModel, vocabulary: Vocabulary) -> Iterator[Finding]:
    """Yield a refusal where a token's number is beyond the rows of the embeddings."""
    inner = model.config.get("text_config")
    rows = model.config.get("vocab_size", inner.get("vocab_size") if isinstance(inner, Mapping) else None)
    if isinstance(rows, int) and vocabulary.num_tokens > rows:
        text = f"the tokenizer of {model.path} has {vocabulary.num_tokens} tokens, the model embeddings for {rows}"
        remedy = "take the tokenizer that it was trained with, or resize_token_embeddings before training"
        yield Finding("tokenizer", model.name, "refusal", text, remedy)


def _dtypes(models: Sequence[CheckedModel]) -> Sequence[Finding]:
    first, *others = [main_dtype(model.specs) for model in models]
    remedy = "nothing, if rounding does not matter; else save all in one type, best as they were trained"
    findings = [
        Finding("dtype", model.name, "warning", f"{model.path} is {dtype}, {models[0].path} {first}", remedy)
        for model, dtype in zip(models[1:], others, strict=True)
        if dtype != first
    ]
    return _or_ok(findings, "dtype", str(first))


def _finite(models: Sequence[CheckedModel], weights: WeightScan) -> Sequence[Finding]:
    remedy = "take a checkpoint from before the training diverged, or leave this expert out"
    findings = []
    for (number, tensor), count in weights.not_finite.items():
        text = f"{models[number].source.file_of(tensor)}: '{tensor}' has {count} values that are NaN or infinite"
        findings.append(Finding("finite", models[number].name, "refusal", text, remedy))
    return _or_ok(findings, "finite", "no value is NaN or infinite")


def _whole_numbers(models: Sequence[CheckedModel], weights: WeightScan) -> list[Finding]:
    text = "'{}' holds whole numbers, which cannot be merged, and differs from that of {}"
    remedy = "save this expert with the values of the others, if they mean the same"
    return [
        Finding("tensors", models[number].name, "refusal", text.format(tensor, models[0].path), remedy)
        for number, tensor in weights.unequal
    ]


def _ancestor(models: Sequence[CheckedModel], weights: WeightScan, has_base: bool) -> Iterator[Finding]:
    """Yield each model's distance from the first; a warning where it is like another model's, and for equal ones."""
    if not _is_measured(models, weights):
        remedy = "mend what is refused above, then check again"
        yield Finding("ancestor", ALL, "warning", "too few tensors are in all models to compare weights", remedy)
        return
    for number, model in enumerate(models[1:], start=1):
        distance, cosine = weights.distance(number), weights.cosine(number)
        text = f"{model.path} is {distance:.3g} of the norm away from {models[0].path}, cosine {cosine:.4f}"
        if distance > FARTHEST or cosine < LOWEST_COSINE:
            words = f"{text}: like a model of another origin"
            remedy = "take experts that were fine-tuned from the base model itself, all from the same revision"
            yield Finding("ancestor", model.name, "warning", words, remedy)
        elif distance > 0 or not are_equal(models[0].source, model.source):
            yield Finding("ancestor", model.name, "ok", text)
    for one, other in combinations(range(len(models)), 2):
        if weights.may_be_equal(one, other) if one else weights.distance(other) == 0:
            yield from _equal(models[one], models[other], has_base=has_base)


def _equal(one: CheckedModel, other: CheckedModel, *, has_base: bool) -> Iterator[Finding]:
    if are_equal(one.source, other.source):
        whose = "its base model" if has_base and one.name == BASE else "another expert"
        text = f"{other.path} has the same weights as {one.path}, {whose}"
        yield Finding("ancestor", other.name, "warning", text, "check the path; leave one of both out if it is right")


def _geometry(
    models: Sequence[CheckedModel], weights: WeightScan, *, has_base: bool
) -> tuple[dict[str, float], dict[tuple[str, str], float]]:
    """Return distances from the first model, and cosines between task vectors if that is the base.

    What is not defined is left out, such as the cosine of a task vector of zeros.
    """
    is_measured = _is_measured(models, weights)
    numbers = {model.name: number for number, model in enumerate(models) if number and is_measured}
    distances = {name: weights.distance(number) for name, number in numbers.items()}
    pairs = combinations(numbers, 2) if has_base else ()
    cosines = {(a, b): weights.difference_cosine(numbers[a], numbers[b]) for a, b in pairs}
    return _defined(distances), _defined(cosines)


def _is_measured(models: Sequence[CheckedModel], weights: WeightScan) -> bool:
    """Return whether enough tensors are in all models for distances to mean something."""
    return 2 * weights.num_values >= models[0].num_values


def _defined(numbers: Mapping[K, float]) -> dict[K, float]:
    return {key: number for key, number in numbers.items() if math.isfinite(number)}
