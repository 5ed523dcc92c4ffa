"""Write the card of an exported model in the Hub's format, from a study's results and how the model was made."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from dfwe.controls import in_one_line
from dfwe.models.origin import Origin
from dfwe.report.html.page import environment
from dfwe.report.html.use import snippets
from dfwe.report.names import expert_name, name_of
from dfwe.report.numbers import UNDEFINED, interval, times_100
from dfwe.report.study_results import Record, StudyResults
from dfwe.report.verdict import verdict_lines
from dfwe.search.space import SETTING_PREFIX

CITATION = """\
@software{dfwe,
  title = {dfwe: derivative-free weight-space ensembling},
  author = {{The dfwe maintainers}},
  version = {0.1.0},
  license = {Apache-2.0}
}
@article{ninalga2023derivative,
  title = {Derivative Free Weight-space Ensembling},
  author = {Ninalga, Dean},
  year = {2023},
  journal = {arXiv:2307.03506}
}"""
_PIPELINES = {
    "AutoModelForSeq2SeqLM": "text2text-generation",
    "AutoModelForCausalLM": "text-generation",
    "AutoModelForSequenceClassification": "text-classification",
    "AutoModel": "feature-extraction",
}
_MARKUP = re.compile(r"([\\`*<>\[\]|])")
_UNTRAINED = {  # by the kind of the stage
    "linear_probe": "the head was fitted to the features of the frozen base model",
    "combination": "PEFT combined the factors of the experts",
}
_PAPER = re.compile(r"([\w][\w &/-]*?) \(([^()]*arXiv:\d{4}\.\d{4,5})\)")


@dataclass(frozen=True)
class ModelFacts:
    """Say of an exported model what results do not: how it was made, of what, and how it is asked.

    `settings` are of its merge method, `paper` is what the code says of it, `recipe` a sentence on recipe.yaml.
    `search` is empty where nothing was searched, `template` is the form of a text, with columns in braces.
    """

    origins: Sequence[Origin]
    is_merge: bool = False
    method: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    search: str = ""
    paper: str = ""
    recipe: str = ""
    asked: str = ""
    template: str = "{text}"


@dataclass(frozen=True)
class CoefficientTable:
    """Hold a table of coefficients: a row per expert, or per group of tensors with a column per expert."""

    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]
    by_group: bool = False


def model_card(results: StudyResults, *, name: str, facts: ModelFacts) -> str:
    """Return the card of that model of the study; the Hub's library writes the part that it reads itself."""
    row = results.row(name)
    assert row is not None, name
    raw = results.raw
    auto_class = raw["auto_class"]
    code = dict(snippets(".", questions=raw.get("questions") or {}, auto_class=auto_class, template=facts.template))
    templates = environment(autoescape=False)  # Markdown: `text` escapes what users named
    templates.filters["text"] = _text
    body = templates.get_template("card.md").render(
        title=f"{results.target}: {name_of(row)}",
        intro=_intro(results, row=row, facts=facts),
        experts=coefficient_table(row) if facts.is_merge else None,
        how=list(_how(row, facts=facts)),
        recipe=facts.recipe,
        scores=list(_scores(row)),
        score_note=_score_note(row),
        data=list(_data(results)),
        parents=facts.origins,
        asked=facts.asked,
        transformers=code["With Transformers alone"],
        dfwe=code.get("In Python"),
        limits=[line.removeprefix("Warning: ") for line in verdict_lines(results)] or ["It was not tested."],
        citation=CITATION,
        papers=list(_papers(facts)),
    )
    data = _metadata(results, row=row, facts=facts, pipeline=_PIPELINES.get(auto_class))
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n{body}"))


def with_answer(card: str, sentences: Sequence[str]) -> str:
    """Return the card with sentences below its title."""
    before, title, after = re.split(r"(?m)^(# .*\n)", card, maxsplit=1)
    return f"{before}{title}\n{_lines(sentences)}{after}"


def coefficient_table(row: Record) -> CoefficientTable | None:
    """Return the coefficients of a merge's row, without the method's own numbers; None where there are none."""
    values = {
        name: value for name, value in (row.get("coefficients") or {}).items() if not name.startswith(SETTING_PREFIX)
    }
    if not values:
        return None
    groups = {name: name.rpartition("/")[0] for name in values}
    if not any(groups.values()):
        return CoefficientTable(
            ["coefficient"], [(expert_name(name), [f"{value:.6g}"]) for name, value in values.items()]
        )
    columns = list(dict.fromkeys(name.rpartition("/")[2] for name in values))
    rows = [
        (group, [f"{values[f'{group}/{column}']:.6g}" for column in columns])
        for group in dict.fromkeys(groups.values())
    ]
    return CoefficientTable([expert_name(column) for column in columns], rows, by_group=True)


def _metadata(results: StudyResults, *, row: Record, facts: ModelFacts, pipeline: str | None) -> ModelCardData:
    repositories = list(dict.fromkeys(origin.repository for origin in facts.origins if origin.repository))
    licenses = {origin.license for origin in facts.origins}
    languages = {origin.languages for origin in facts.origins}
    relation: dict[str, Any] = (
        {"base_model_relation": "merge" if facts.is_merge else "finetune"} if repositories else {}
    )
    return ModelCardData(
        library_name="transformers",
        base_model=repositories or None,
        license=licenses.pop() or None if len(licenses) == 1 else None,
        language=list(languages.pop()) or None if len(languages) == 1 else None,
        pipeline_tag=pipeline,
        tags=[*(["merge"] if facts.is_merge else []), "dfwe"],
        model_name=f"{results.target}: {name_of(row)}",
        eval_results=list(_evaluations(results, row=row, task=pipeline or "other")) or None,
        **relation,
    )


def _evaluations(results: StudyResults, *, row: Record, task: str) -> Iterator[EvalResult]:
    for split in ("test", "dev"):
        for metric, value in _metrics(row.get(split, {})):
            if value is not None:
                yield EvalResult(
                    task_type=task,
                    dataset_type=_slug(results.target),
                    dataset_name=in_one_line(results.target),
                    dataset_split=split,
                    metric_type=_slug(metric),
                    metric_name=in_one_line(metric),
                    metric_value=round(float(value), 6),
                )


def _metrics(scores: Record) -> Iterator[tuple[str, float | None]]:
    """Yield the score, and what it is the mean of: metrics, or tasks."""
    if scores:
        parts = scores.get("metrics") or scores.get("tasks") or {}
        yield "score", scores.get("score")
        yield from parts.items()


def _scores(row: Record) -> Iterator[tuple[str, str, str, str]]:
    for split in ("test", "dev"):
        scores = row.get(split, {})
        intervals = scores.get("intervals") or {}
        for metric, value in _metrics(scores):
            ends = scores.get("interval") if metric == "score" else intervals.get(metric)
            yield split, metric, UNDEFINED if value is None else times_100(value), interval(ends)


def _score_note(row: Record) -> str:
    parts = list(row.get("dev", {}).get("metrics") or row.get("dev", {}).get("tasks") or {})
    of = f"The score is the mean of {', '.join(parts)}. " if len(parts) > 1 else ""
    return f"{of}Dev chose this model, so that its score there is too high; test is what to expect."


def _intro(results: StudyResults, *, row: Record, facts: ModelFacts) -> str:
    kind = "A merge of models' weights" if facts.is_merge else "A model"
    best = results.recommended.get("name") == row["name"]
    role = ", the model to ship of its study" if best else ", the merge that was asked for"
    return f"{kind} for the task {results.target}{role}, made by dfwe."


def _how(row: Record, *, facts: ModelFacts) -> Iterator[str]:
    if not facts.is_merge:
        kind = str(row.get("stage")).rpartition("-")[0]
        if not row.get("epochs"):
            yield _UNTRAINED.get(kind, "taken as it is, nothing was trained")
            return
        yield f"last trained on: {', '.join(row['tasks'])}"
        if row.get("averaging"):
            yield f"epochs: {row['epochs']}, with an average of the weights that it had on the way"
            return
        kept = f"of epoch {row['best_epoch']}" if row["best_epoch"] else f"that it started from ({row['start']})"
        yield f"epochs: {row['epochs']}, with the weights {kept}"
        return
    settings = ", ".join(f"{name} {value}" for name, value in facts.settings.items())
    yield f"merge method: {facts.method}{f' ({settings})' if settings else ''}"
    if row.get("is_expert"):
        yield f"the search kept one expert as it is: {expert_name(row['is_expert'])}"
    if not facts.search:
        yield "coefficients: equal, nothing was searched"
        return
    yield f"coefficients: {facts.search}, {row.get('evaluations', 'unknown')} evaluations on dev"
    yield f"selection among them: {row['selection']}"


def _data(results: StudyResults) -> Iterator[Sequence[str]]:
    """Yield task, rows by split, where the data come from (no folder of this machine) and their digest."""
    sizes: Record = results.raw.get("n") or {}
    columns: Record | None = results.raw.get("columns")
    if columns is None:
        of_task = dict.fromkeys(list(results.data)[:1], sizes)  # the target comes first
    else:
        of_task = {columns.get(name, name): rows for name, rows in sizes.items()}
    for task, facts in results.data.items():
        rows = of_task.get(task, {})
        origin, shots = str(facts.get("origin", "unknown")), facts.get("shots")
        yield (
            task,
            ", ".join(f"{value} {split}" for split, value in rows.items()) or f"shots: {shots}",
            Path(origin).name if "/" in origin or "\\" in origin else origin,
            str(facts.get("corpus") or "unknown"),
        )


def _papers(facts: ModelFacts) -> Iterator[str]:
    """Yield the papers that the code names for the merge's method."""
    for title, source in dict.fromkeys(_PAPER.findall(facts.paper)):
        yield f"The merge method is {title.strip()} ({source})."


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_") or "score"


def _lines(sentences: Sequence[str]) -> str:
    return "".join(f"{_text(sentence)}\n" for sentence in sentences)


def _text(value: object) -> str:
    """Return what anybody named as text in one line, which is neither Markdown nor HTML."""
    return _MARKUP.sub(r"\\\1", in_one_line(value)).replace("\\<", "&lt;").replace("\\>", "&gt;")
