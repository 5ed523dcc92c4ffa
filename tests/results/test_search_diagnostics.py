"""Whether a search searched."""

import json

import pytest

from dfwe.results.details import search_diagnostics
from dfwe.store.store import Store


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0.5, 0.5, 0.5], (3, 1, 2)),
        ([0.5, 0.6, 0.4, None, 0.7, 0.1 + 0.2, 0.3], (7, 5, 2)),
        ([], (0, 0, 0)),
    ],
)
def test_evaluations_distinct_scores_and_the_longest_plateau_are_counted(tmp_path, scores, expected):
    kinds = ["uniform"] + ["search"] * len(scores)
    lines = [
        json.dumps({"number": 1, "coefficients": {}, "kind": kind, "score": score})
        for kind, score in zip(kinds, scores, strict=False)
    ]
    lines.append(json.dumps({"number": 9, "coefficients": {}, "kind": "bagged", "score": 0.9}))

    def make(folder):
        (folder / "trials.jsonl").write_text("\n".join(lines))
        return {}, ("trials.jsonl",)

    diagnostics = search_diagnostics(Store(tmp_path).get_or_make("merge", spec={}, make=make))
    assert (diagnostics["evaluated"], diagnostics["distinct_scores"], diagnostics["plateau"]) == expected
