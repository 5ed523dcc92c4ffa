"""The garbage collector's pause."""

import gc

import pytest

from dfwe.data.collector import paused_collector


def test_it_is_paused_within_and_runs_again_after_an_error():
    within = []

    def fail():
        with paused_collector():
            within.append(gc.isenabled())
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert within == [False]
    assert gc.isenabled()


def test_who_had_it_off_keeps_it_off():
    gc.disable()
    try:
        with paused_collector():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
