"""The time that trainings will take, measured on those that have run."""

import pytest

from dfwe.execution.remaining import RemainingTime


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def titles():
    """Titles as a user reads them."""
    return []


def start_stage(titles):
    def start(number, total, title):
        titles.append(title)
        return lambda share: None

    return start


def run(start, clock, *, number, seconds, share):
    tell = start(number, 4, "train")
    if share:
        tell(share)
    clock.now += seconds
    tell(1.0)


def test_time_is_unknown_until_a_training_has_run(titles):
    clock = Clock()
    start = RemainingTime([0, 100, 200, 0], clock=clock).following(start_stage(titles))
    run(start, clock, number=1, seconds=50, share=0.5)  # no training
    run(start, clock, number=2, seconds=30, share=0.5)  # stopped half-way: 50 rows in 30 seconds
    run(start, clock, number=3, seconds=120, share=1.0)
    run(start, clock, number=4, seconds=1, share=0)
    unknown = "train (training time left: unknown)"
    assert titles == [unknown, unknown, "train (training time left: about 60 s, at most 2 min)", "train"]


def test_stages_of_the_store_do_not_count(titles):
    clock = Clock()
    start = RemainingTime([0, 0, 0, 80], clock=clock).following(start_stage(titles))
    for number in range(1, 5):
        run(start, clock, number=number, seconds=10, share=0)
    assert titles == ["train (training time left: unknown)"] * 4
