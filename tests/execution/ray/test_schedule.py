"""What is made next, by whom, and what happens when a worker is lost; without Ray."""

from dataclasses import dataclass

import pytest

from dfwe.errors import ExecutorError
from dfwe.execution.ray.schedule import Finished, Schedule, Team
from dfwe.stages.base import Stage
from dfwe.studies.plan import plan_study


@dataclass(frozen=True)
class Step(Stage):
    """A stage of the test's own."""

    kind = "step"
    name: str
    needs: tuple[Stage, ...] = ()

    @property
    def title(self):
        return self.name

    @property
    def digest(self):
        return self.name

    def spec(self):
        return {"name": self.name}

    def make(self, folder, *, tell):
        raise AssertionError("a schedule makes nothing itself")


class Crowd(Team):
    """Workers that end what they began first, first; `events` tells of both. Some are lost on the way."""

    def __init__(self, size, *, lost=()):
        self.num_workers, self.lost, self.events, self.busy = size, list(lost), [], []

    @property
    def num_idle(self):
        return self.num_workers - sum(1 + helpers for _, helpers in self.busy)

    def begin(self, digest, *, num_helpers):
        self.events.append(f"+{digest}" + f" with {num_helpers}" * bool(num_helpers))
        self.busy.append((digest, num_helpers))

    def wait(self):
        digest, _ = self.busy.pop(0)
        if digest in self.lost:
            self.lost.remove(digest)
            return Finished(digest, None)
        self.events.append(f"-{digest}")
        return Finished(digest, 1.5)


A = Step("a")
B, C = Step("b", (A,)), Step("c", (A,))
D = Step("d", (B, C))
DIAMOND = [("train", D), ("train", C), ("train", B), ("train", A)]


def run(team, stages=DIAMOND, *, held=(), retries=2, started=None):
    def start(number, total, title):
        if started is not None:
            started.append((number, total, title))
        return lambda share: None

    return Schedule(stages, team=team, is_held=lambda each: each.digest in held, start=start, retries=retries).run()


def test_a_stage_begins_once_what_it_needs_is_made_whatever_the_order_of_the_list():
    team = Crowd(1)
    assert run(team) == {f"train expert {name}": 1.5 for name in "abcd"}
    assert team.events == ["+a", "-a", "+c", "-c", "+b", "-b", "+d", "-d"]  # of two that can begin, the list's first


def test_stages_that_do_not_need_each_other_are_made_side_by_side():
    team = Crowd(2)
    run(team)
    assert team.events == ["+a", "-a", "+c", "+b", "-c", "-b", "+d", "-d"]


def test_what_the_store_has_is_not_made_and_what_needs_it_begins():
    team, started = Crowd(2), []
    assert run(team, held="ac", started=started) == {"train expert b": 1.5, "train expert d": 1.5}
    assert team.events == ["+b", "-b", "+d", "-d"]
    assert [(number, total) for number, total, _ in started] == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_stage_that_the_list_leaves_out_is_taken_to_be_there():
    team = Crowd(1)
    run(team, [("train", D)])
    assert team.events == ["+d", "-d"]


def test_a_stage_whose_worker_is_lost_is_begun_again_first_and_that_is_said_once(caplog):
    team = Crowd(1, lost="c")
    run(team)
    assert team.events == ["+a", "-a", "+c", "+c", "-c", "+b", "-b", "+d", "-d"]
    assert caplog.text.count("train expert c: its worker was lost; it is begun again") == 1


def test_a_stage_that_loses_its_worker_again_and_again_ends_the_study():
    with pytest.raises(ExecutorError, match=r"train expert a: its worker was lost 3 times.*executor\.retries=2"):
        run(Crowd(2, lost="aaa"))


def test_workers_that_nothing_longer_waits_for_help_with_the_candidates_that_a_merge_asks_at_once(small, tmp_path):
    config = small(tmp_path, "merge/search=random", "merge.search.asks=4", "merge.pick=argmax")
    study = plan_study(config)
    merge = study.merges["nelder_mead"]  # its name; the search is another
    stages = [("merge", merge), ("evaluate", study.evaluations["baseline"])]
    for size, events in ((6, " with 3"), (3, " with 2"), (1, "")):
        team = Crowd(size)
        run(team, stages)
        assert team.events[0] == f"+{merge.digest}{events}"
    team = Crowd(3)
    run(team, [("merge", merge), ("train", B)])
    assert team.events[:2] == [f"+{merge.digest} with 1", "+b"]
