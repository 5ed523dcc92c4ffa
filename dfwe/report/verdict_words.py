"""What results say of the merge that was asked for and of the model to ship, in words; nothing is judged here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dfwe.report.names import names_of
from dfwe.report.numbers import P_BY, interval, times_100

Found = Mapping[str, Any]
Names = Mapping[str, str]
ROLES = {
    "baseline": "the baseline",
    "equally_trained": "the baseline trained as long",
    "best_expert": "the best expert by dev",
}
_KINDS = {"baseline": "the baseline", "expert": "an expert", "model": "trained on all tasks"}
CLAIMS = {"better": "better than these", "worse": "worse", "not_shown": "no difference shown"}


def verdict_lines(results: Found) -> Iterator[str]:
    """The model to ship first, then the merge that was asked for, then warnings: one paragraph each."""
    best, head = results.get("recommended") or {}, results.get("headline") or {}
    names = names_of(results["models"] if "models" in results else results["rows"])
    if best:
        yield _recommended(best, asked=head.get("name"), names=names)
    if head and head.get("name") != best.get("name"):
        told = _against(head, names=names)
        yield f"Asked for was {names.get(head['name'], head['name'])}: {times_100(head['test'])} on test; {told}"
    for each in results.get("warnings", ()):
        yield f"Warning: {each['text']}."


def _recommended(best: Found, *, asked: str | None, names: Names) -> str:
    """Its name and folder, why it, its score, and what it is held against."""
    what = _KINDS.get(best["kind"], f"a {best['kind']}") if best["name"] != asked else "the merge that was asked for"
    chosen = f"the best on dev of {best['chosen_among']} models ({times_100(best['dev'])})"
    test = f"; {times_100(best['test'])} on test" if best.get("test") is not None else ""
    luck = f" ({100 * best['optimism']:+.1f} on dev over test)" if "optimism" in best else ""
    where = f" (folder {best['folder']}/)" if best.get("folder") else ""
    name = names.get(best["name"], best["name"])
    return f"Ship {name}{where}, {what}: {chosen}{test}{luck}; {_against(best, names=names)}"


def _against(model: Found, *, names: Names) -> str:
    """Its differences, each model once with all parts that it plays, and the claim."""
    parts: dict[str, list[Found]] = {}
    for each in model.get("against", ()):
        if each["role"] != "uniform":  # which decides nothing
            parts.setdefault(each["name"], []).append(each)
    if not parts:
        return f"{model.get('why', 'compared with nothing')}."
    told = ", ".join(_difference(names.get(name, name), each) for name, each in parts.items())
    claim = CLAIMS.get(model.get("claim") or "", "")
    return f"{told}: {claim}: {model['why']}." if model.get("claim") == "not_shown" else f"{told}: {claim}."


def _difference(name: str, parts: Sequence[Found]) -> str:
    roles = " and ".join(str(ROLES.get(part["role"], part["role"])) for part in parts)
    each = parts[0]
    named = f"the {each['name']}" if each["role"] == "baseline" else f"{name} ({roles})"
    p = f"{each['p']:.2g}" if each["p"] >= 0.001 else "0.001 or less"
    ends = interval(each["delta_interval"], sign=True)
    return f"{100 * each['delta']:+.1f} ({ends}; p {p}) against {named}"


def tests_note(models: Sequence[Found]) -> str:
    """Whose p these are."""
    by = dict.fromkeys(each["p_by"] for model in models for each in model.get("against", ()))
    return f"p by {' and '.join(P_BY[each] for each in by)}. " if by else ""
