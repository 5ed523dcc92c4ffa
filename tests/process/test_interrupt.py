"""Ctrl-C and SIGTERM end within two seconds, with one line and 130 or 143, whatever the process is doing."""

import functools
import signal
import subprocess
import sys
import time

import pytest

from dfwe.process.interrupt import EXIT_CODE, GOES_ON, TERMINATED, is_because_of, kept_interrupt

BEGIN = """
import hashlib, sys, time
from dfwe.process.interrupt import signals_end
def work():
    try:
        print("ready", flush=True)
        {0}
    except KeyboardInterrupt:
        {1}
with signals_end():
    work()
"""
CALL = 'hashlib.pbkdf2_hmac("sha256", b"", b"", 2**30)'  # minutes in C, which Python's handler of signals waits for
DEEDS = {
    "waits": ("time.sleep(30)", "raise"),
    "makes SystemExit of it, as Lightning does": ("time.sleep(30)", "sys.exit(1)"),
    "makes another error of it, as imports do": ("time.sleep(30)", "raise ImportError"),
    "swallows it": ("time.sleep(30)", "pass"),
    "does not hear, in a long call": (CALL, "raise"),
    "tidies up for long": ("time.sleep(30)", "time.sleep(30)"),
}
ENDS = {signal.SIGINT: (EXIT_CODE, f"interrupted: {GOES_ON}"), signal.SIGTERM: (TERMINATED, f"terminated: {GOES_ON}")}


def started(command):
    """The process, which hears interrupts also where the tests run in a background that ignores them."""
    hears = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, preexec_fn=hears)


def ended(process, number):
    """Its exit code, what it said on stderr, and how many seconds it took to end after the signal."""
    begun = time.monotonic()
    process.send_signal(number)
    try:
        _, said = process.communicate(timeout=20)
    finally:
        process.kill()
    return process.returncode, said, time.monotonic() - begun


@pytest.mark.parametrize("number", ENDS)
@pytest.mark.parametrize("deed", DEEDS)
def test_a_process_ends_whatever_it_does(deed, number):
    command = [sys.executable, "-c", BEGIN.format(*DEEDS[deed])]
    with started(command) as process:
        assert process.stdout.readline() == "ready\n"
        code, said, seconds = ended(process, number)
    assert (code, said.splitlines()) == (ENDS[number][0], [ENDS[number][1]])
    assert seconds < 2.0


def half_written():
    try:
        raise KeyboardInterrupt
    finally:
        raise RuntimeError("the archive has no end")


def test_what_goes_wrong_because_of_an_interrupt_is_the_interrupt():
    with pytest.raises(KeyboardInterrupt), kept_interrupt():
        half_written()


def test_any_other_error_stays_what_it_is():
    with pytest.raises(RuntimeError, match="no end"), kept_interrupt():
        raise RuntimeError("the archive has no end") from ValueError()


def test_causes_in_a_ring_are_walked_once():
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    assert not is_because_of(first, KeyboardInterrupt)
    assert is_because_of(first, ValueError)


def test_another_exit_keeps_its_code_and_says_nothing():
    command = [sys.executable, "-c", BEGIN.format("sys.exit(2)", "raise")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "")


@pytest.mark.parametrize("number", ENDS)
def test_a_study_in_training_ends_and_the_same_command_goes_on(number, tmp_path):
    overrides = [
        "+target=meld",
        "sources=[emory_emotion]",
        "model.pretrain=null",
        "model.source.vocab_size=400",
        "model.source.config={d_model: 16, d_kv: 8, d_ff: 32, num_layers: 1, num_heads: 2}",
        "data.generator.num_train=10",
        "trainer.train.epochs=1000",
        "trainer.train.patience=1000",
        "trainer.threads=1",
        f"paths.store={tmp_path}/store",
        f"hydra.run.dir={tmp_path}/run",
    ]
    command = [sys.executable, "-m", "dfwe.run", *overrides]
    with started(command) as process:
        partial, end = tmp_path / "store", time.monotonic() + 120
        while not list(partial.glob("train-*.partial/last.ckpt")):
            assert time.monotonic() < end, "training never began"
            time.sleep(0.05)
        code, said, seconds = ended(process, number)
    assert (code, said.splitlines()[-1]) == ENDS[number]
    assert "Traceback" not in said
    assert seconds < 2.0
