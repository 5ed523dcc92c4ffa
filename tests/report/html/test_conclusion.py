"""What many runs come to."""

import json

import pytest

from dfwe.report.html.conclusion import conclusion, overviews
from dfwe.report.run_folder import read_run
from dfwe.report.sweep.runs import read_jobs


@pytest.fixture
def runs(plain):
    """A function from names of runs to (dev, test, seed, claim) of their merges to what was scored."""

    def made(**found):
        folders = []
        for name, (dev, test, seed, claim) in found.items():
            folder = plain(name, seed=seed, headline={"name": "ties", "claim": claim}, command=f"dfwe x={name[0]}")
            results = json.loads((folder / "results.json").read_text())
            results["models"][-1] |= {"dev": {"score": dev}, "test": {"score": test}, "delta": test - 0.4}
            results["models"][-1]["stage"] = f"merge-{name}"
            (folder / "results.json").write_text(json.dumps(results))
            folders.append(folder)
        found = [read_run(folder) for folder in folders]
        return read_jobs(found)[0], found

    return made


def test_the_best_on_dev_is_named_with_its_mean_over_seeds(runs):
    found = runs(a0=(0.5, 0.5, 0, None), a1=(0.6, 0.6, 1, None), b0=(0.1, 0.9, 0, None))
    (line,) = conclusion(found[0], runs=found[1])
    assert line.startswith(
        "t: beside the baseline, the best on dev is ties from a. On test it scores 55.0 ± 7.1, +15.0"
    )
    assert line.endswith("± 7.1 against the baseline (the mean of 2 seeds).")


def test_claims_are_counted_as_results_have_them(runs):
    claims = ["better", "worse", "not_shown", "not_shown"]
    found = runs(**{f"{name}0": (0.5, 0.5, 0, claim) for name, claim in zip("abcd", claims, strict=True)})
    counted = conclusion(found[0], runs=found[1])[-1]
    assert counted.startswith("Of 4 merges that were asked for, 1 is better than the baseline, the baseline")
    assert counted.endswith("1 is worse than one of these three, and for 2 neither can be claimed.")


def test_what_does_as_well_at_no_more_cost_is_counted(runs):
    jobs, found = runs(a0=(0.5, 0.5, 0, "not_shown"), b0=(0.5, 0.5, 0, "not_shown"), c0=(0.5, 0.5, 0, "better"))
    for run, as_well in zip(found, ("soup of seeds", "soup of seeds", None), strict=True):
        run.results.headline.update(not_dearer=[], as_well=as_well and {"title": as_well})
    *_, counted, as_well = conclusion(jobs, runs=found)
    assert "the best expert by dev and than every simpler model of equal or lower cost, none is worse" in counted
    assert as_well.endswith("equal or lower cost over which test shows no gain: soup of seeds (2 of 3 runs).")


def test_claims_of_nothing_are_none(runs):
    jobs, found = runs(a0=(0.5, 0.5, 0, "not_shown"))
    counted = conclusion(jobs, runs=found)[-1]
    assert "none is better than the baseline" in counted
    assert "none is worse than one of these three, and for 1 neither" in counted


def test_one_seed_has_its_interval_and_several_their_deviation(runs):
    (plot,) = overviews(runs(a0=(0.5, 0.5, 0, None), a1=(0.6, 0.6, 1, None), b0=(0.1, 0.9, 0, None))[0])
    first, second = plot.rows
    assert (first.text, first.small, first.side) == ("+15.0", "+7.9 to +22.1", "open")  # a deviation leaves nothing out
    assert (second.text, second.side) == ("+50.0", "above")
    assert [row.kind for row in plot.rows] == ["x=a", "x=b"]
