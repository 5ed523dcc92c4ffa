"""A multirun's jobs, and what of each has to be composed."""

import pytest

from dfwe.errors import ConfigurationError


def test_source_triples_are_twenty_jobs_of_one_composition(multirun):
    jobs, _ = multirun("+target=meld", "+sweep=source_triples", "merge=nelder_mead")
    assert [job.number for job in jobs] == list(range(20))
    assert len({job.rest for job in jobs}) == 1
    assert jobs[0].says_sources
    assert [dict(job.numbers)["subset.number"] for job in jobs] == list(range(20))


def test_all_targets_are_seven_jobs(multirun):
    jobs, _ = multirun("+sweep=all_targets")
    assert len(jobs) == len({job.target for job in jobs}) == 7
    assert not jobs[0].says_sources


def test_sweeps_and_seeds_multiply(multirun):
    jobs, _ = multirun("+sweep=[source_triples,all_targets]", "seed=0,1", "merge=linear,ties")
    assert len(jobs) == 20 * 7 * 2 * 2
    assert len({job.rest for job in jobs}) == 2


def test_numbers_of_sources_are_one_to_six_of_three_draws(multirun):
    jobs, _ = multirun("+target=meld", "+sweep=number_of_sources")
    assert [tuple(dict(job.numbers).values()) for job in jobs] == [(n, draw) for n in range(1, 7) for draw in range(3)]


def test_what_the_command_line_says_replaces_what_a_sweep_says(multirun):
    jobs, _ = multirun("+target=meld", "+sweep=source_triples", "sources=[sst,snli]", "subset.number=0,1")
    assert len(jobs) == 2
    assert "sources=[sst,snli]" in jobs[0].rest


def test_a_key_of_a_tasks_own_keeps_the_target_in_the_composition(multirun):
    (job,), _ = multirun("+target=meld", "target.meld.max_new_tokens=7")
    assert (job.target, "+target=meld" in job.rest) == (None, True)


def test_a_sweeper_that_chooses_while_it_runs_is_not_planned(multirun):
    with pytest.raises(ConfigurationError, match=r"other\.Sweeper chooses its jobs while they run"):
        multirun("+target=meld", "hydra.sweeper._target_=other.Sweeper")
