"""How commands end: exit code and what is printed, whatever happens to the process around them."""

import os
import signal
import subprocess
import sys

import pytest

from dfwe.errors import ConfigurationError
from dfwe.process.exit import FAILED, PIPE_CLOSED, exit_code
from dfwe.process.interrupt import EXIT_CODE

# what each command imports late, by which a test stops it in the middle of its imports
COMMANDS = {
    "run": "hydra",
    "score": "numpy",
    "predict": "numpy",
    "merge": "torch",
    "store": "filelock",
    "report": "rich",
    "data show": "numpy",
    "data prepare": "numpy",
}
ARGUMENTS = {
    "run": ["+target=meld"],
    "score": ["--task", "meld", "cases.jsonl"],
    "predict": ["--model", "merged", "cases.jsonl"],
    "merge": ["recipe.yaml", "out"],
    "store": ["list"],
    "report": ["list"],
    "data show": ["--root", ".", "--task", "meld", "--split", "train"],
    "data prepare": ["friends", "--out", "out", "--raw", "raw"],
}


@pytest.fixture(autouse=True)
def _buffered(monkeypatch):
    """Output is buffered, as it is by default: argparse passes over a closed pipe that it meets by itself."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


def module(name, *arguments, **options):
    command = [sys.executable, "-m", "dfwe", *name.split(), *arguments]
    return subprocess.run(command, **({"capture_output": True, "text": True, "timeout": 300} | options))


def process(work, **options):
    """A command that does the work, run as a process."""
    code = f"import sys\nfrom dfwe.process.exit import as_process, exit_code\ndef main():\n    {work}\nas_process(main)"
    command = [sys.executable, "-c", code]
    return subprocess.run(command, **({"capture_output": True, "text": True, "timeout": 60} | options))


@pytest.mark.parametrize(
    ("work", "code", "said"),
    [
        ("return 0", 0, ""),
        ("return exit_code(lambda: open('no/such/file'))", 2, "error: no/such/file: No such file or directory\n"),
        ("sys.exit(3)", 3, ""),
        ("sys.exit('no')", 1, "error: no\n"),
        ("print('text'); raise BrokenPipeError", 141, ""),
        ("print('\\u0394'); return 0", 0, ""),
    ],
)
def test_a_command_ends_with_its_code_and_a_line(work, code, said):
    done = process(work)
    assert (done.returncode, done.stderr) == (code, said)


def test_a_fault_of_ours_keeps_its_traceback():
    done = process("raise RuntimeError('a fault')")
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback")


def test_an_error_of_the_users_is_one_line_whatever_it_holds(capsys):
    def fail():
        raise ConfigurationError("two\nlines\x1b[31m")

    assert exit_code(fail) == FAILED
    assert capsys.readouterr().err == "error: two lines\\x1b[31m\n"


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_letters_that_the_output_lacks_are_question_marks(encoding):
    done = process("print('\\u0394 = 3'); return 0", env=os.environ | {"PYTHONIOENCODING": encoding})
    assert (done.returncode, done.stdout, done.stderr) == (0, "? = 3\n", "")


RICH = "from rich.console import Console; Console().print('x' * 9999)"


@pytest.mark.parametrize("work", ["print('x' * 100000)", RICH])
def test_a_closed_pipe_ends_a_command_quietly(work):
    done = process(f"{work}; return 0", **closed_pipe())
    assert (done.returncode, done.stderr) == (PIPE_CLOSED, "")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_commands_help_into_a_closed_pipe_is_quiet(name):
    done = module(name, "--help", **closed_pipe())
    assert (done.returncode, done.stderr) == (PIPE_CLOSED, "")


def closed_pipe():
    """An output whose reader has gone already."""
    reader, writer = os.pipe()
    os.close(reader)
    return {"stdout": os.fdopen(writer, "wb"), "stderr": subprocess.PIPE, "capture_output": False}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")  # noqa: PTH110
def test_an_output_without_room_is_one_line():
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        done = process("print('text'); return 0", stdout=full, stderr=subprocess.PIPE, capture_output=False)
    assert done.returncode == FAILED
    assert done.stderr == "error: the output cannot be written: no space left on the device\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_signal_while_a_command_imports_is_one_line(name, number, tmp_path):
    (tmp_path / f"{COMMANDS[name]}.py").write_text("import time\nprint('imports', flush=True)\ntime.sleep(60)\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "dfwe", *name.split(), *ARGUMENTS[name]]
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    hears = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
    with subprocess.Popen(command, **pipe, env=os.environ | {"PYTHONPATH": path}, preexec_fn=hears, cwd=tmp_path) as it:
        try:
            assert it.stdout.readline() == "imports\n"
            it.send_signal(number)
            _, said = it.communicate(timeout=20)
        finally:
            it.kill()
    word = "interrupted" if number == signal.SIGINT else "terminated"
    assert it.returncode == 128 + number
    assert [line.partition(":")[0] for line in said.splitlines()] == [word]


def test_the_exit_code_of_ctrl_c_is_that_of_shells():
    assert EXIT_CODE == 130


def test_a_working_directory_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "outputs").write_text("a file where the runs' folder would be")
    done = module("run", "+target=meld", cwd=tmp_path)
    assert done.returncode == FAILED
    (line,) = done.stderr.splitlines()
    assert "outputs" in line
    assert "cannot be written" in line


@pytest.mark.parametrize("flag", ["-O", "-OO"])
def test_a_command_runs_without_asserts(flag, tmp_path):
    (tmp_path / "cases.jsonl").write_text('{"prediction": "joy", "references": ["joy"]}\n')
    command = [sys.executable, flag, "-m", "dfwe", "score", "--task", "meld", str(tmp_path / "cases.jsonl")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    assert '"n": 1' in done.stdout
