"""Ctrl-C leaves no process of Ray's behind."""

import functools
import signal
import subprocess
import sys

import pytest

WORK = """
from dfwe.process.interrupt import signals_end
from dfwe.execution.ray.executor import _connect, _end_at_once
_connect(None, cpus=1)
import ray
from dfwe.execution.ray.team import RayTeam

class Sleeper:
    def plan(self):
        pass
    def make(self, digest, helpers):
        import time
        time.sleep(600)

def hire():
    worker = ray.remote(num_cpus=1)(Sleeper).remote()
    return worker, worker.plan.remote()

team = RayTeam(1, hire=hire, keep=print, retries=0)
with signals_end():
    try:
        team.wait()
        team.begin("sleep", num_helpers=0)
        print("works", flush=True)
        team.wait()
    except KeyboardInterrupt:
        assert _end_at_once()
        raise
"""


def test_a_ray_of_this_machine_ends_with_the_command():
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
