"""Which model with heads to ship, and what may be said of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dfwe.config.tasks import tasks_of
from dfwe.metrics.comparison import optimism
from dfwe.records import Split
from dfwe.results.multi_task.comparison import Certainty
from dfwe.results.verdict import BEST_EXPERT, best_by_dev, claimed
from dfwe.results.warnings import StudyWarning, caps_of, of_answers, of_merges, of_scores, of_split, of_training, once
from dfwe.studies.study import Study
from dfwe.values.names import BASELINE

SINGLE = "single-task models"  # several models, each on its own task: what rows are held against, never recommended
Row = Mapping[str, Any]


def recommended(
    rows: Sequence[Row], *, certainty: Certainty, models: Sequence[str], withheld: Sequence[str]
) -> dict[str, Any]:
    """The best by the mean on dev of what answers every task, of equal ones a trained model before a merge.

    `models` are those that were trained on every task. It is held against the single-task models and the best of
    `models`; empty without a score.
    """
    by_name = {row["name"]: row for row in rows if row["kind"] == "merge" or row["name"] in models}
    dev = {name: row["dev"]["mean"] for name, row in by_name.items()}
    name = best_by_dev(dev, simplest_first=sorted(by_name, key=lambda each: by_name[each]["kind"] == "merge"))
    if name is None:
        return {}
    row, expert = by_name[name], best_by_dev(dev, simplest_first=models)
    against = list(_against(row, expert=expert, certainty=certainty))
    test = row.get("test", {}).get("mean")
    return {
        "name": name,
        "kind": row["kind"],
        "folder": None,
        "dev": dev[name],
        "test": test,
        **optimism(dev[name], test),
        "chosen_among": len(by_name),
        "against": against,
        **claimed(against, withheld=withheld),
    }


def study_warnings(study: Study, rows: Sequence[Row], *, answers: Mapping[str, Any]) -> tuple[StudyWarning, ...]:
    """Those of a study of models with heads; `answers` to the test splits by model."""
    return once(_of_study(study, rows, answers=answers))


def _of_study(study: Study, rows: Sequence[Row], *, answers: Mapping[str, Any]) -> Iterator[StudyWarning]:
    for column, task in study.tasks.items():
        is_target = task in tasks_of(study.objective)
        splits: tuple[Split, ...] = ("train", "dev", "test") if is_target else ("train",)
        for split in splits:
            instances = study.family.context.data.instances(task, split=split)
            yield from of_split(column, split, instances=instances, is_target=is_target)
    keys = {name: _key(study, name) for name in study.trained}
    for key in dict.fromkeys(keys.values()):
        stages = {name: stage for name, stage in study.trained.items() if keys[name] == key}
        yield from of_training(caps_of(stages, store=study.family.context.store), key=key)
    whole = [row for row in rows if row["kind"] != "single"]
    yield from of_scores([(row["name"], row["dev"]["mean"]) for row in whole], split="dev")
    yield from of_answers(answers)
    yield from of_merges(rows)


def _key(study: Study, name: str) -> str:
    """Where the model's cap on epochs stands."""
    assert study.listing is not None
    own = study.listing.config["models"][name].get("fit") or {}
    return f"multitask.models.{name}.fit.epochs" if "epochs" in own else "trainer.train.epochs"


def _against(row: Row, *, expert: str | None, certainty: Certainty) -> Iterator[dict[str, Any]]:
    single = row.get("against_single", {}).get("mean")
    if single:
        yield {"role": BASELINE, "name": SINGLE, **single}
    tested = certainty.parts
    if expert is not None and expert != row["name"] and {expert, row["name"]} <= set(tested):
        found = certainty.against(row["name"], others=dict.fromkeys(certainty.scorers, expert)).get("mean")
        if found:
            yield {"role": BEST_EXPERT, "name": expert, **found}
