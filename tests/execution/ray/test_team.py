"""Workers on a real Ray: their results, their errors, their deaths. They are small: no study, no torch."""

from types import SimpleNamespace

import pytest

from dfwe.errors import DataError, ExecutorError


@pytest.fixture
def team_of(on_ray):
    """A function from a number of workers to a team of them, and a list of what they said."""
    from dfwe.execution.ray.team import RayTeam

    teams, said = [], []

    def made(size, *, healthy=True):
        def hire():
            worker = clerk(on_ray)
            return worker, worker.plan.remote(healthy)

        teams.append(RayTeam(size, hire=hire, keep=said.append, retries=1))
        return teams[-1], said

    yield made
    for team in teams:
        team.close()


def clerk(ray):
    """A worker that does what a stage's name says; local, so that Ray sends its code along."""

    class Clerk:
        def plan(self, healthy):
            import os

            if not healthy:
                os._exit(1)

        def make(self, digest, helpers):
            import os

            from dfwe.errors import DataError

            if digest == "dies":
                os._exit(1)
            if digest == "fails":
                raise DataError("row 3 of moods.csv has no label")
            return SimpleNamespace(seconds=float(len(helpers)), kept=digest)

    return ray.remote(num_cpus=1)(Clerk).remote()


def until(team, happens):
    while not (found := happens()):
        team.wait()
    return found


def test_workers_make_what_they_are_given_and_helpers_are_idle_again_afterwards(team_of):
    team, said = team_of(3)
    until(team, lambda: team.num_idle == 3)
    team.begin("merge", num_helpers=2)
    assert team.num_idle == 0
    finished = team.wait()
    assert (finished.digest, finished.seconds, said, team.num_idle) == ("merge", 2.0, ["merge"], 3)


def test_an_error_of_the_user_s_comes_out_as_it_was_raised(team_of):
    team, _ = team_of(1)
    until(team, lambda: team.num_idle)
    team.begin("fails", num_helpers=0)
    with pytest.raises(DataError, match=r"^row 3 of moods\.csv has no label$") as raised:
        team.wait()
    assert type(raised.value) is DataError


def test_a_lost_worker_is_told_and_another_takes_its_place(team_of):
    team, _ = team_of(1)
    until(team, lambda: team.num_idle)
    team.begin("dies", num_helpers=0)
    finished = team.wait()
    assert (finished.digest, finished.seconds, team.num_idle) == ("dies", None, 0)
    until(team, lambda: team.num_idle)
    team.begin("merge", num_helpers=0)
    assert team.wait().seconds == 0.0


def test_workers_that_die_as_soon_as_they_start_end_the_study(team_of):
    team, _ = team_of(1, healthy=False)
    with pytest.raises(ExecutorError, match="workers are lost as soon as they start"):
        until(team, lambda: team.num_idle)
