"""Means over seeds, of jobs that differ in nothing else."""

import io

import pytest
from rich.console import Console

from dfwe.report.sweep.jobs import JobResult, by_setting, settings_of
from dfwe.report.sweep.spreads import Spread, differing, spreads
from dfwe.report.sweep.tables import seeds_table
from dfwe.report.terminal.console import FittedTable


def job(seed, test, *, baseline=0.4, sources=("a", "b"), merge="ties", settings=(), stage=None):
    stage = stage or f"{merge}-{sources}-{seed}-{settings}"
    return JobResult("mood", sources, merge, seed, stage, test, test, baseline, settings=settings)


def groups(*jobs):
    return by_setting(jobs)


def shown(*jobs):
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(FittedTable(seeds_table(jobs)))
    return " ".join(console.export_text().split())


def test_spread_is_the_sample_deviation():
    found = Spread.of([0.1, 0.2, 0.6])
    assert (found.mean, found.deviation) == pytest.approx((0.3, 0.07**0.5))  # (0.04 + 0.01 + 0.09) / 2
    assert Spread.of([0.25]) == Spread(0.25, None)


def test_spread_of_deltas_is_within_seeds():
    found = spreads([job(0, 0.5, baseline=0.4), job(1, 0.7, baseline=0.6)])
    assert (found["delta"].mean, found["delta"].deviation) == pytest.approx((0.1, 0.0))
    assert found["test"].deviation == pytest.approx(0.02**0.5)


def test_seeds_go_together_and_whatever_else_differs_stays_apart():
    same = [job(0, 0.5), job(1, 0.6), job(2, 0.7, sources=("b", "a"))]
    others = [job(0, 0.5, merge="linear"), job(0, 0.5, sources=("a",)), job(0, 0.5, settings=("data.shots=0.1",))]
    assert [len(group) for group in groups(*same, *others)] == [3, 1, 1, 1]


def test_of_a_study_that_ran_again_the_last_run_counts():
    ((first, second),) = groups(job(0, 0.5), job(1, 0.5), job(0, 0.6, stage="of a newer version"))
    assert (first.test, second.test) == (0.6, 0.5)


def test_settings_that_not_all_have_are_named():
    found = groups(job(0, 0.5, settings=("x=1", "y=1")), job(0, 0.5, settings=("x=1", "y=2")))
    assert differing(found) == [("y=1",), ("y=2",)]
    assert differing([]) == []


def test_seeds_table_has_mean_and_deviation():
    text = shown(job(0, 0.5, baseline=0.4), job(1, 0.6, baseline=0.4), job(0, 0.5, merge="linear"))
    assert "ties 55.0 ± 7.1 +15.0 ± 7.1 55.0 ± 7.1 40.0 ± 0.0 2 a, b" in text
    assert "linear" not in text  # of one seed


def test_seeds_table_names_differing_settings():
    text = shown(*(job(seed, 0.5, settings=(f"data.shots={shots}",)) for shots in (0.1, 0.5) for seed in (0, 1)))
    assert "data.shots=0.1" in text
    assert "data.shots=0.5" in text


def test_seeds_table_of_one_seed_is_none():
    assert seeds_table([job(0, 0.5), job(0, 0.6, merge="linear")]) is None
    assert seeds_table([]) is None


@pytest.mark.parametrize(
    ("command", "settings"),
    [
        ("python -m dfwe.run +target=meld seed=1 merge=ties paths.store=x logger=wandb", ()),
        (
            "python -m dfwe.run data.shots_seed=3 'merge.search.budget=9' seed=0",
            ("data.shots_seed=3", "merge.search.budget=9"),
        ),
        ("python -m dfwe.run experiment=heads sources=[a,b] +sweep=x subset.number=2", ("experiment=heads",)),
        (r"python 'data.shots.meld=8\ per\ class'", ("data.shots.meld=8 per class",)),
        ("", ()),
    ],
)
def test_settings_can_change_a_score(command, settings):
    assert settings_of(command) == settings
