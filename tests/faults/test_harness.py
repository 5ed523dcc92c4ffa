"""The short `make faults`: a short study killed, damaged, in four processes ends as undisturbed."""

import subprocess
import sys
from pathlib import Path

HARNESS = Path(__file__).with_name("harness.py")
FAULTS = ("kills=3", "damage=4", "processes")  # one after the other, so that imports and the undisturbed run are shared


def test_a_short_study_ends_as_undisturbed(tmp_path):
    command = [sys.executable, str(HARNESS), *FAULTS, "--study", "short", "--folder", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stdout + done.stderr
