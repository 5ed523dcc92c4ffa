"""Ctrl-C leaves no process of Ray's behind."""

import functools
import signal
import subprocess
import sys

import pytest

WORK = """
from dfwe.process.interrupt import signals_end
from dfwe.execution.ray.executor import _connect, _done, _ended_when_interrupted, _reserved

def work():
    import time
    time.sleep(600)

with signals_end(), _ended_when_interrupted():
    _connect(None, cpus=1)
    import ray
    with _reserved({"num_cpus": 1.0, "num_gpus": 0.0}, workers=1) as strategy:
        reference = ray.remote(num_cpus=1, scheduling_strategy=strategy)(work).remote()
        print("works", flush=True)
        _done([reference])
"""


def test_interrupt_ends_a_ray_of_this_machine():
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'dfwe[ray]'")
    import psutil

    hears = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen([sys.executable, "-c", WORK], stdout=subprocess.PIPE, text=True, preexec_fn=hears) as process:
        assert process.stdout.readline() == "works\n"
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130
    assert len(children) > 3
    _, left = psutil.wait_procs(children, timeout=20)  # Ray's agents alone would stay for a minute
    assert not left
