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


def test_the_best_on_dev_comes_first_with_its_differences_on_test():
    against = {key: {"delta": 0.01, "delta_standard_error": 0.002} for key in ("uniform", "best_expert")}
    text = printed([row("uniform", 0.4, against={}), row("ties", 0.6, against=against)])
    names = [line.split()[0] for line in text.splitlines() if line.split()]
    assert names.index("ties") < names.index("uniform")
    assert text.count("+1.0 ±0.2") == 2


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
    assert text.count("undefined") == 1
