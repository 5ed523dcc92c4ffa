"""The short `make faults`: a toy study killed, damaged, without room, in four processes ends as undisturbed."""

import subprocess
import sys
from pathlib import Path

import pytest

HARNESS = Path(__file__).with_name("harness.py")


@pytest.mark.parametrize(
    "fault", [("kills", "--num", "3"), ("damage", "--num", "4"), ("processes",)], ids=lambda f: f[0]
)
def test_a_toy_study_ends_as_undisturbed(fault, tmp_path):
    if fault[0] == "disk" and subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("a small file system needs a name space of mounts, which this machine does not allow")
    command = [sys.executable, str(HARNESS), *fault, "--folder", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
