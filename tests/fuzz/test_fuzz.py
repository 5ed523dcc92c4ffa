"""The short fuzzing: every reader of what others wrote refuses damaged files with an error of the project's."""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
BAD_READER = """
import sys
from pathlib import Path
from fuzz import fuzz
from readers import Reader

def read(folder):
    return {}["nothing"]

found = fuzz([Reader("bad", lambda: {"a.json": b"[1]"}, read, complete=False)], num=3, seed=0, folder=Path(sys.argv[1]))
print(found.num, found.num_failed, found.num_refused, *found.places)
"""


def run(*command):
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, cwd=FOLDER, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_damaged_files_are_read_or_refused():
    lines = run("fuzz.py", "--num", "900", "--seed", "18").splitlines()
    assert sum(int(line.split(": ")[1].split()[0]) for line in lines) > 850


def test_the_fuzzer_finds_what_is_not_refused(tmp_path):
    assert run("-c", BAD_READER, str(tmp_path)).strip() == "3 3 0 bad: outside KeyError: \"'nothing'\""
