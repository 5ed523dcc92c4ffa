"""Many merges side by side."""

from rich.console import Console

from dfwe.report.merges_table import has_many, merges_table


def row(name, dev, *, against=None):
    found = {
        "name": name,
        "kind": "merge",
        "dev": {"score": dev},
        "evaluations": 7,
        "seconds": 1.25,
        "picked": "search",
    }
    return found | ({"test": {"score": 0.5}, "against": against} if against is not None else {})


def printed(models):
    console = Console(width=80, record=True)
    console.print(merges_table({"models": models}))
    return console.export_text()


def mixture(dev, test, delta):
    against = [{"role": "best_expert", "name": "meld", "delta": delta, "delta_standard_error": 0.002}]
    return {"mixture": {"dev": dev, "test": test, "against": against}}


def test_a_merge_shows_what_it_kept_and_its_best_mixture_beside_it():
    kept = row("ties", 0.7, against={}) | mixture(0.6, 0.45, -0.05) | {"is_expert": "meld"}
    words = printed([kept]).split()
    at = words.index("ties")
    assert words[at : at + 9] == ["ties", "=", "meld", "70.0", "50.0", "60.0", "45.0", "-5.0", "±0.2"]


def test_the_best_mixture_on_dev_comes_first_whatever_was_kept():
    same = {"is_expert": "meld"}
    rows = [row("a", 0.7) | mixture(0.4, 0.4, 0.0) | same, row("b", 0.7) | mixture(0.6, 0.4, 0.0) | same]
    text = printed([*rows, row("c", 0.5)])
    assert text.index(" b ") < text.index(" c ") < text.index(" a ")


def test_searches_of_equal_budgets_stand_together():
    rows = [row("a", 0.4) | {"budget": 40}, row("b", 0.9) | {"budget": 1}, row("c", 0.5) | {"budget": 40}]
    text = printed(rows)
    places = [text.index(each) for each in ("budget 40", " c ", " a ", "budget 1", " b ")]
    assert places == sorted(places)


def test_merges_that_were_not_tested_have_no_test_score():
    assert "–" in printed([row("linear", 0.5)])


def test_more_than_three_beside_uniform_are_many():
    names = ["uniform", "a", "b", "c", "d"]
    assert has_many({"models": [row(name, 0.5) for name in names]})
    assert not has_many({"models": [row(name, 0.5) for name in names[:4]]})


def test_an_undefined_score_is_called_so_and_comes_last():
    against = {"uniform": {"name": "uniform"}}
    text = printed([row("constant", None, against=against), row("uniform", 0.0, against={})])
    names = [line.split()[0] for line in text.splitlines() if line.split()]
    assert names.index("uniform") < names.index("constant")
    assert text.count("undefined") == 2  # what was kept is the mixture


def test_a_merge_without_a_search_has_its_own_difference_to_the_best_expert():
    against = {"best_expert": {"name": "meld", "delta": -0.25, "delta_standard_error": 0.01}}
    assert "-25.0 ±1.0" in printed([row("uniform", 0.4, against=against)])
