"""Write in words what results say: the model to ship, the merge of the headline, warnings; nothing is judged here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from dfwe.report.names import name_of
from dfwe.report.numbers import difference_in_words, interval, is_loss, signed, times_100
from dfwe.report.study_results import Record, StudyResults
from dfwe.values.names import BASELINE, UNIFORM

Names = Mapping[str, str]
ROLES = {
    "baseline": "the baseline",
    "equally_trained": "the baseline trained as long",
    "best_expert": "the best expert by dev",
    "uniform": "the uniform merge",
}
P_BY = {"mcnemar": "McNemar's test", "bootstrap": "the paired bootstrap"}
_KINDS = {"baseline": "a baseline", "expert": "an expert", "model": "trained on all tasks"}
_CLAIMS = {"better": "better than these", "worse": "worse", "not_shown": "no difference shown"}


def verdict_lines(results: StudyResults) -> Iterator[str]:
    """Yield the model to ship, the merge that was asked for, and warnings: one paragraph each."""
    best, head, names = results.recommended, results.headline or _without_baseline(results), results.names
    if best:
        yield _recommendation(best, headline_merge=head.get("name"), names=names)
    if head and head.get("name") != best.get("name"):
        compared = _comparison(head, names=names)
        name = names.get(head["name"], head["name"])
        yield f"The merge that was asked for is {name}: {times_100(head['test'])} on test; {compared}"
    if note := unlabelled_note(results):
        yield note
    for warning in results.warnings:
        yield f"Warning: {warning['text']}."


def cost_note(model: Record) -> str:
    """Name the cheapest model of equal or lower cost over which no gain is shown; empty without one.

    It does as well, or scores more. Where the model's cost is not known that is said. Of the numbers a positive one is
    the model's lead.
    """
    if "not_dearer" in model and model["not_dearer"] is None:
        return "Nothing is compared by cost, which is not known of models that were trained elsewhere."
    other = model.get("as_well")
    if not other:
        return ""
    kind = ", a merge," if other["kind"] == "merge" and other["name"] != UNIFORM else ""
    does, lead = "scores more" if is_loss(other) else "does as well", difference_in_words(other)
    return f"As far as test shows {other['title']}{kind} {does} (lead {lead}) {cost_in_words(other)}."


def cost_in_words(other: Record) -> str:
    """Write another model's cost beside that of the model in question."""
    times = other["times_cost"]
    return "at no cost of training" if not times else f"at {times:.2g} times the cost of training"


def p_note(results: StudyResults) -> str:
    """Name the tests that p-values come from."""
    against = [*results.recommended.get("against", ()), *results.headline.get("against", ())]
    tests = dict.fromkeys(difference["p_by"] for difference in against if "p_by" in difference)
    return f"p by {' and '.join(P_BY[test] for test in tests)}. " if tests else ""


def unlabelled_note(results: StudyResults) -> str:
    """Say which models learnt from texts without labels, as the others did not; empty without any."""
    names = [name_of(row) for row in results.rows if row.get("unlabelled")]
    if not names:
        return ""
    return (
        f"More data: {', '.join(names)} also learnt from texts without labels, which no other model read. What they "
        "are better by may be due to these texts."
    )


def cost_column_note(results: StudyResults) -> str:
    """Say what the column of costs has; empty where results lack it."""
    is_known = any((row.get("cost") or {}).get("times_baseline") is not None for row in results.rows)
    return "Cost: tokens read to train and search, as a multiple of the baseline's." if is_known else ""


def undefined_note(results: StudyResults) -> str:
    """Name the models whose score on test is undefined; empty without any."""
    undefined = [name_of(row) for row in results.rows if "test" in row and row["test"]["score"] is None]
    if not undefined:
        return ""
    return (
        f"The score on test is undefined for {', '.join(undefined)}: a model that answers the same to every instance "
        "has no correlation with the gold answers. Nothing is compared with it."
    )


def holdout_note(row: Record) -> str:
    """Report what the dev examples that a search did not see say of its result; empty where it saw all."""
    holdout = row.get("holdout")
    if not holdout:
        return ""
    expert = "" if holdout["expert"] is None else f", the best expert {times_100(holdout['expert'])}"
    return (
        f"By {holdout['examples']} dev instances that were kept from the search it scores "
        f"{times_100(holdout['score'])}, the uniform merge {times_100(holdout['start'])}{expert}."
    )


def rare_classes_note(results: StudyResults) -> str:
    """Warn that intervals of a macro F1 are too narrow where classes are rare on test; empty without any."""
    classes = results.raw.get("rare_classes", ())
    if not classes:
        return ""
    return (
        f"The score has a macro F1, and fewer than 10 test instances are {', '.join(classes)}: its intervals are too "
        "narrow, in simulation they hold 87 to 92 %, not 95 %."
    )


def connectedness_note(results: StudyResults) -> str:
    """Report how connected experts are; empty where it was not measured."""
    record = results.raw.get("connectedness") or {}
    if record.get("median_barrier") is None:
        return ""
    barrier, uniform = record["median_barrier"], record["uniform_minus_baseline"]
    beside = "" if uniform is None else f" Their uniform merge has {signed(uniform)} to the baseline there."
    return (
        f"Connected experts: the barrier at the middle between two is {signed(barrier)} on dev in the median of "
        f"{record['num_pairs']} pairs, {signed(record['largest_barrier'])} at most (positive: the middle is worse)."
        f"{beside}"
    )


def source_selection_note(results: StudyResults) -> str:
    """Report how sources were selected: the candidates in their order with their scores; empty without a selection."""
    selection = results.raw.get("source_selection")
    if not selection:
        return ""
    selected = [_candidate(task) for task in selection["ranking"] if task["task"] in selection["selected"]]
    rest = [_candidate(task) for task in selection["ranking"] if task["task"] not in selection["selected"]]
    parts = [f"Sources chosen by {', '.join(selection['by'])}: {', '.join(selected)}"]
    parts += [f"before {', '.join(rest)}"] if rest else []
    parts += [f"nothing is known of {', '.join(selection['unknown'])}"] if selection["unknown"] else []
    return "; ".join(parts) + "."


def _candidate(ranked: Record) -> str:
    """Write a candidate as `personality (transfer +0.020, gradients +0.310)`."""
    scores = (f"{name} {score:+.3f}" for name, score in ranked["scores"].items())
    return f"{ranked['task']} ({', '.join(scores)})"


def _without_baseline(results: StudyResults) -> Record:
    """Return the merge that was asked for where no baseline was tested, as of experts from elsewhere."""
    row = results.row(results.headline_merge or "")
    if row is None or results.tasks or row.get("test", {}).get("score") is None:
        return {}
    against = [{"role": role, **difference} for role, difference in row.get("against", {}).items()]
    return {"name": row["name"], "test": row["test"]["score"], "against": against}


def _recommendation(best: Record, *, headline_merge: str | None, names: Names) -> str:
    """Write the model's name and folder, why it is recommended, its score, and what it is compared with."""
    kind = "the baseline" if best["name"] == BASELINE else _KINDS.get(best["kind"], f"a {best['kind']}")
    role = kind if best["name"] != headline_merge else "the merge that was asked for"
    reason = f"the best on dev of {best['chosen_among']} models ({times_100(best['dev'])})"
    test = f"; {times_100(best['test'])} on test" if best.get("test") is not None else ""
    optimism = f" ({signed(best['optimism'])} on dev over test)" if "optimism" in best else ""
    folder = f" (folder {best['folder']}/)" if best.get("folder") else ""
    name = names.get(best["name"], best["name"])
    return f"Ship {name}{folder}, {role}: {reason}{test}{optimism}; {_comparison(best, names=names)}"


def _comparison(model: Record, *, names: Names) -> str:
    """Write the model's differences, once per other model with all its roles, and the claim."""
    roles: dict[str, list[Record]] = {}
    for difference in model.get("against", ()):
        if difference["role"] != "uniform":  # which decides nothing
            roles.setdefault(difference["name"], []).append(difference)
    if not roles:
        return f"{model.get('why', 'compared with nothing')}. {cost_note(model)}".rstrip()
    differences = ", ".join(_difference(names.get(name, name), parts) for name, parts in roles.items())
    claim = _CLAIMS.get(model.get("claim") or "", "")
    if model.get("claim") == "better" and model.get("not_dearer"):
        claim = "better than these and than every simpler model of equal or lower cost"
    reason = f": {model['why']}" if model.get("claim") in ("not_shown", "worse") and "why" in model else ""
    words = f"{differences}: {claim}{reason}." if claim else f"{differences}."
    return f"{words} {cost_note(model)}".rstrip()


def _difference(name: str, differences: Sequence[Record]) -> str:
    roles = " and ".join(str(ROLES.get(difference["role"], difference["role"])) for difference in differences)
    first = differences[0]
    other = f"the {first['name']}" if first["role"] == "baseline" else f"{name} ({roles})"
    p = f"{first['p']:.2g}" if first["p"] >= 0.001 else "0.001 or less"
    brackets = "; ".join(filter(None, [interval(first["delta_interval"], sign=True), f"p {p}"]))
    return f"{signed(first['delta'])} ({brackets}) against {other}"
