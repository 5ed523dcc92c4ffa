"""Say in three plain sentences which model to ship, how good it is, and what it gains over the plain one."""

from __future__ import annotations

from collections.abc import Iterator

from dfwe.fit.task import TableTask
from dfwe.report.names import name_of
from dfwe.report.numbers import is_gain, is_loss, times_100
from dfwe.report.study_results import SMALL_TEST, Record, StudyResults
from dfwe.values.names import BASELINE, MIXTURE, UNIFORM

_MULTITASK, _RANDOM = "multitask", "random"  # baselines
_AVERAGES = (UNIFORM, "nelder_mead", "linear", _RANDOM)  # other merges are no averages of weights
_BEST_EXPERT = "best_expert"  # a role


def answer(results: StudyResults, *, target: TableTask, folder: str) -> Iterator[str]:
    """Yield the sentences for someone who knows no statistics; results recommend a model."""
    best = results.recommended
    row = results.row(best["name"]) or {}
    yield _choice(results, target=target, folder=folder)
    if row.get("test", {}).get("score") is None:
        yield "Its score on test is undefined: it gives the same answer to every row, so it has learnt nothing yet."
        return
    yield _quality(row["test"], results=results, target=target)
    yield _gain(results, target=target)


def coefficients(results: StudyResults) -> Iterator[str]:
    """Yield the coefficients that a search over models from elsewhere kept."""
    row = results.row(results.headline_merge or "") or {}
    if results.raw.get("external") and row.get("coefficients"):
        shares = ", ".join(f"{name} {value:.3f}" for name, value in row["coefficients"].items())
        yield f"coefficients of {name_of(row)}: {shares}"


def _choice(results: StudyResults, *, target: TableTask, folder: str) -> str:
    best, num_dev = results.recommended, results.raw["n"]["dev"]
    row = results.row(best["name"]) or best
    made = _made(row, results=results, target=target)
    return (
        f"Ship {folder} ({name_of(row)}): {made}. No other of the {best['chosen_among']} models scores higher on "
        f"the {num_dev} rows of dev, which were set aside for choosing: {_score(best['dev'], target=target)}."
    )


def _made(row: Record, *, results: StudyResults, target: TableTask) -> str:
    """Return how a model was made, in words that need no glossary."""
    name, table = str(row["name"]), target.table.path.name
    if row.get("external"):
        return "the base model as it is" if name == BASELINE else "one of the models, as it is"
    is_random = name == _RANDOM
    if row["kind"] == "merge" or is_random:
        way = "the weighted average" if name in _AVERAGES else "a merge"
        at_random = ", with random coefficients" if is_random else ""
        return f"{way} of {len(results.of_kind('expert'))} models{at_random}"
    if name == BASELINE:
        return f"the plain model, trained on {table} alone"
    if name == target.name:
        return f"the model trained on {table} alone, twice"
    if name == _MULTITASK:
        return "the model trained on all tables at once"
    if row["kind"] == "baseline":
        return "one of the baselines that you asked for"
    first = "all tables" if name == MIXTURE else f"{name}'s table"
    return f"the model trained on {first} first, then on {table}"


def _has_few(results: StudyResults) -> bool:
    """Return whether test has too few rows, or groups of rows, to show anything."""
    return any(warning["code"] == SMALL_TEST for warning in results.warnings)


def _quality(test: Record, *, results: StudyResults, target: TableTask) -> str:
    """Return how good a model is on test, beside what needs no model."""
    answers, ends = target.answers["test"], test.get("interval") or ()
    size = answers.total()
    on_test = f"On the {size} rows of test, which no {'search' if results.raw.get('external') else 'training'} saw,"
    score = _score(test["score"], target=target)
    likely = f"; on other rows of this kind expect {_range(*ends, target=target)}" if ends else ""
    few = "groups" if size >= target.defaults["few_rows"] else "rows"
    likely = f"; so few {few} say almost nothing" if _has_few(results) else likely
    if target.metric is not None:  # nothing is known of what guessing would have
        return f"{on_test} it has {score}{likely}."
    if target.kind != "labels":
        is_guess = not ends or ends[0] <= 0
        guess = {"number": "better than guessing", "text": "able to write such answers"}[target.kind]
        more = f" It is not surely {guess}, so it needs more rows." if is_guess else ""
        return f"{on_test} it has {score}{likely}.{more}"
    usual = target.answers["train" if target.trains else "dev"].most_common(1)[0][0]
    share = answers[usual] / size
    more = ": the model is not surely better than that, so it needs more rows" if not ends or ends[0] <= share else ""
    always = f"Always answering '{usual}' would be right for {times_100(share)} %{more}."
    return f"{on_test} {score} of its answers are right{likely}. {always}"


def _gain(results: StudyResults, *, target: TableTask) -> str:
    """Return what the model to ship gains over the plain one, and whether that can be chance."""
    best = results.recommended
    if results.raw.get("external"):
        return _gain_of_merge(results, target=target)
    if best["name"] == BASELINE:
        tried = "other tables and merging" if results.sources else "training for longer"
        return f"It is the plain model: {tried} brought nothing more on dev."
    plain = (results.row(BASELINE) or {}).get("test", {}).get("score")
    if plain is None:
        return "It was compared with no other model on test."
    against = next((other for other in best.get("against", ()) if other["role"] == BASELINE), None)
    versus = f"The plain model, trained on {target.table.path.name} alone, has {_score(plain, target=target)} there"
    return _significance(versus, against=against, is_few=_has_few(results))


def _gain_of_merge(results: StudyResults, *, target: TableTask) -> str:
    """Return what a merge of models that were trained elsewhere gains over the best of them."""
    best, name = results.recommended, results.raw["roles"].get(_BEST_EXPERT)
    if name is None or best["name"] in (name, BASELINE):
        return "No mixture of the models does better on dev than this one alone."
    single = (results.row(name) or {}).get("test", {}).get("score")
    if single is None:
        return "It was compared with no other model on test."
    against = next((other for other in best.get("against", ()) if other["role"] == _BEST_EXPERT), None)
    return _significance(
        f"{name}, the best single model on dev, has {_score(single, target=target)} there",
        against=against,
        is_few=_has_few(results),
    )


def _significance(versus: str, *, against: Record | None, is_few: bool) -> str:
    """Return the sentence about the other model, and whether chance explains the difference to it."""
    if against is None:
        return f"{versus}."
    if is_few:
        return f"{versus}: test is too small to tell whether the difference is chance, so do not count on a gain."
    if is_gain(against):
        return f"{versus}, and the gain is more than chance explains."
    if is_loss(against):
        return f"{versus}, which is more than chance explains: dev chose badly; more rows are needed to choose well."
    return f"{versus}: the difference is small enough to be chance, so do not count on a gain."


def _score(score: float, *, target: TableTask) -> str:
    if (name := target.metric_name) is not None:
        return f"a score of {times_100(score)} by {name} (times 100)"
    if target.kind == "labels":
        return f"{times_100(score)} %"
    if target.kind == "number":
        return f"a correlation of {score:.2f} with the true numbers"
    return f"{times_100(score)} points of 100"


def _range(low: float, high: float, *, target: TableTask) -> str:
    if target.kind == "number" and target.metric is None:
        return f"{low:.2f} to {high:.2f}"
    percent = " %" if target.kind == "labels" and target.metric is None else ""
    return f"{times_100(low)} to {times_100(high)}{percent}"
