"""The answer of a fit in plain words: what to ship, how good it is, and what it gains."""

from dataclasses import replace

import pytest

from dfwe.conf import conf_dir
from dfwe.fit.answer import answer
from dfwe.fit.table import LabelledTable, find_columns, read_table
from dfwe.fit.task import TableTask, ordered
from dfwe.io.strict_yaml import read_yaml
from dfwe.report.study_results import as_study

DEFAULTS = read_yaml(conf_dir() / "fit.yaml")


@pytest.fixture
def target(tmp_path):
    """A function from a kind of answers to the target, 30 of whose 40 rows are 'sea'."""

    def make(kind="labels", *, few_rows=1):
        path = tmp_path / "notes.csv"
        answers = [f"{n / 8}" if kind == "number" else "sea" if n % 4 else "pan" for n in range(40)]
        path.write_text("text,label\n" + "".join(f"a text {n},{cell}\n" for n, cell in enumerate(answers)))
        source, sheet = read_table(path, encoding="utf-8")
        columns = find_columns(sheet, texts=["text"], label="label", group=None, defaults=DEFAULTS)
        table = LabelledTable(path, source, sheet, columns)
        defaults = {**DEFAULTS, "few_rows": few_rows}
        return TableTask("notes", table, kind, ordered(list(table.counts)), None, is_source=False, defaults=defaults)

    return make


def study(best, *, interval=(0.6, 0.9), delta=(0.01, 0.2), p=0.01, sources=("tea",), test=0.75, warnings=()):
    kinds = {"baseline": "baseline", "notes": "expert", "mixture": "expert", "tea": "expert"}
    kinds |= {"multitask": "baseline", "random": "baseline", "nelder_mead": "merge"}
    kinds |= {"ties": "merge", "ema": "baseline"}
    rows = [
        {"name": name, "kind": kind, "dev": {"score": 0.7}, "test": {"score": 0.625, "interval": interval}}
        for name, kind in kinds.items()
    ]
    next(row for row in rows if row["name"] == best)["test"] = {"score": test, "interval": interval}
    against = [{"role": "baseline", "name": "baseline", "delta": 0.125, "delta_interval": delta, "p": p}]
    recommended = {"name": best, "kind": kinds[best], "dev": 0.8, "test": test, "chosen_among": 6}
    recommended["against"] = [] if best == "baseline" else against
    facts = {"target": "notes", "sources": list(sources), "n": {"train": 24, "dev": 8, "test": 8}, "seed": 0}
    facts["warnings"] = [{"code": code, "subject": "notes test", "text": ""} for code in warnings]
    return as_study({**facts, "models": rows, "headline": {}, "recommended": recommended})


def said(results, task):
    return list(answer(results, target=task, folder="out/best"))


@pytest.mark.parametrize(
    ("best", "made"),
    [
        ("baseline", "(baseline (target alone)): the plain model, trained on notes.csv alone"),
        ("notes", "(notes): the model trained on notes.csv alone, twice"),
        ("tea", "(tea): the model trained on tea's table first, then on notes.csv"),
        ("mixture", "(expert on all tasks): the model trained on all tables first, then on notes.csv"),
        ("multitask", "(multitask training): the model trained on all tables at once"),
        ("random", "(random merge): the weighted average of 3 models, with random coefficients"),
        ("nelder_mead", "(nelder_mead): the weighted average of 3 models"),
        ("ties", "(ties): a merge of 3 models"),
        ("ema", "(baseline (moving average)): one of the baselines that you asked for"),
    ],
)
def test_the_first_sentence_names_the_model_and_why(best, made, target):
    expected = f"Ship out/best {made}. No other of the 6 models scores higher on the 8 rows of dev"
    assert said(study(best), target())[0].startswith(expected)


def test_the_second_sentence_has_score_and_usual_answer(target):
    sure, unsure = (said(study("tea", interval=ends), target())[1] for ends in ((0.8, 0.9), (0.4, 0.9)))
    assert sure == (
        "On the 8 rows of test, which no training saw, 75.0 % of its answers are right; on other rows of this kind "
        "expect 80.0 to 90.0 %. Always answering 'sea' would be right for 75.0 %."
    )
    assert unsure.endswith("75.0 %: the model is not surely better than that, so it needs more rows.")


@pytest.mark.parametrize(
    ("changes", "end"),
    [
        ({}, "has 62.5 % there, and the gain is more than chance explains."),
        ({"delta": (-0.1, 0.3), "p": 0.4}, "the difference is small enough to be chance, so do not count on a gain."),
        ({"delta": (-0.3, -0.1)}, "which is more than chance explains: dev chose badly; more rows are needed"),
    ],
)
def test_the_third_sentence_says_what_is_gained(changes, end, target):
    assert end in said(study("tea", **changes), target())[2]


def test_the_plain_model_may_be_the_one(target):
    assert said(study("baseline"), target())[2].endswith("other tables and merging brought nothing more on dev.")
    assert said(study("baseline", sources=()), target())[2].endswith("training for longer brought nothing more on dev.")


def test_numbers_have_a_correlation(target):
    lines = said(study("tea"), target("number"))
    assert (
        "has a correlation of 0.75 with the true numbers; on other rows of this kind expect 0.60 to 0.90." in lines[1]
    )


def test_a_correlation_that_may_be_none_is_told(target):
    lines = said(study("tea", interval=(-0.1, 0.9)), target("number"))
    assert lines[1].endswith("expect -0.10 to 0.90. It is not surely better than guessing, so it needs more rows.")


def test_free_text_that_was_not_learnt_is_told(target):
    lines = said(study("tea", interval=(0.0, 0.0), test=0.0), target("text"))
    assert "it has 0.0 points of 100" in lines[1]
    assert lines[1].endswith("It is not surely able to write such answers, so it needs more rows.")


@pytest.mark.parametrize("kind", ["labels", "number", "text"])
def test_a_function_of_ones_own_is_not_a_share_of_right_answers(target, kind):
    task = replace(target(kind), metric="mine.py:cost")
    lines = said(study("tea", interval=(-0.1, 0.9)), task)
    assert lines[0].endswith("a score of 80.0 by cost (times 100).")
    rows = "On the 8 rows of test, which no training saw, "
    assert (
        lines[1]
        == f"{rows}it has a score of 75.0 by cost (times 100); on other rows of this kind expect -10.0 to 90.0."
    )
    assert "has a score of 62.5 by cost (times 100) there" in lines[2]


def test_an_undefined_score_is_told(target):
    assert "it has learnt nothing yet" in said(study("tea", test=None), target())[1]


@pytest.mark.parametrize(("few_rows", "few"), [(9, "rows"), (1, "groups")])
def test_few_rows_or_groups_have_no_interval_and_show_no_gain(target, few_rows, few):
    _, line, gain = said(study("tea", warnings=["small_test"]), target(few_rows=few_rows))
    assert f"75.0 % of its answers are right; so few {few} say almost nothing." in line
    assert "expect" not in line
    assert gain.endswith("test is too small to tell whether the difference is chance, so do not count on a gain.")
