"""The command `dfwe`: its subcommands, their help, and what it prints of itself."""

import json
import subprocess
import sys

import pytest

from dfwe import __version__, cli
from dfwe.cli import COMMANDS, command_of, dispatch

NESTED = [
    *(f"report {name}" for name in ("list", "page", "sweep", "submission", "markdown", "wandb")),
    *(f"store {name}" for name in ("list", "verify", "prune")),
    "data prepare friends",
]


def printed(capsys, *arguments, code=0):
    """What a command prints on stdout or, if it fails, on stderr."""
    try:
        ended = dispatch(arguments)
    except SystemExit as end:
        ended = end.code
    output = capsys.readouterr()
    assert ended == code, output.err
    return output.err if code else output.out


@pytest.mark.parametrize(
    ("line", "name", "rest"),
    [
        ("+target=meld seed=1", "run", "+target=meld seed=1"),
        ("target=meld", "run", "target=meld"),
        ("~diagnostics", "run", "~diagnostics"),
        ("-m +target=meld", "run", "-m +target=meld"),
        ("--config-dir my +target=plants", "run", "--config-dir my +target=plants"),
        ("-sc install=bash", "run", "-sc install=bash"),
        ("run +target=meld --cfg job", "run", "+target=meld --cfg job"),
        ("store list --json", "store", "list --json"),
        ("data show --json", "data show", "--json"),
        ("data", "data", ""),
        ("data shwo", "data", "shwo"),
        ("--help", "", "--help"),
        ("", "", ""),
        ("stroe", "", "stroe"),
    ],
)
def test_command_of_splits_the_command_from_its_arguments(line, name, rest):
    assert command_of(line.split()) == (name, rest.split())


@pytest.mark.parametrize("name", sorted({*COMMANDS, *NESTED, "data"} - {"run"}))
def test_help_of_every_command_has_two_examples(name, capsys):
    text = printed(capsys, *name.split(), "--help")
    examples = text.split("examples:\n")[1].splitlines()
    assert sum(f"dfwe {name}".removesuffix(" friends") in line for line in examples) >= 2


def test_help_of_run_is_that_of_studies(capsys):
    text = printed(capsys, "run", "--help")
    assert "dfwe +target=meld merge=nelder_mead" in text
    assert "target: " in text
    assert printed(capsys, "+target=meld", "--help") == text


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_overview_names_every_command(arguments, capsys):
    text = printed(capsys, *arguments)
    assert all(f"  dfwe {name} " in text for name in COMMANDS)
    assert "dfwe run --help" in text


def test_version_is_dfwes(capsys):
    assert printed(capsys, "--version") == f"dfwe {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["stroe"], "dfwe has no command 'stroe' (did you mean store?): choose one of run, "),
        (["data", "shwo"], "dfwe data has no command 'shwo' (did you mean show?): choose one of show, prepare"),
        (["report", "lits"], "unknown command 'lits' (did you mean list?): choose one of list, page, "),
        (["store"], "the following arguments are required: COMMAND: see dfwe store --help"),
        (["score", "x.jsonl"], "the following arguments are required: --task: see dfwe score --help"),
        (["run", "seed=-1", "+target=meld"], "seed=-1: expected"),
    ],
)
def test_mistakes_are_one_line(arguments, message, capsys):
    text = printed(capsys, *arguments, code=2)
    assert text.startswith(f"error: {message}")
    assert text.count("\n") == 1


def test_a_task_as_a_command_is_told_how_a_study_begins(capsys):
    text = printed(capsys, "meld", code=2)
    assert text.endswith("; a study needs no command, as in dfwe +target=meld\n")
    assert "+target" not in printed(capsys, "data", "meld", code=2)


@pytest.mark.parametrize(("flag", "level"), [("-v", "INFO"), ("-q", "ERROR"), (None, "NOTSET")])
def test_flags_set_the_level_of_the_log(flag, level, tmp_path, capsys, monkeypatch):
    import logging

    monkeypatch.setattr(logging.getLogger("dfwe"), "level", logging.NOTSET)
    printed(capsys, "store", "list", *([flag] if flag else []), "--store", str(tmp_path))
    assert logging.getLevelName(logging.getLogger("dfwe").level) == level


def test_lists_are_json_if_that_is_asked_for(tmp_path, capsys):
    (tmp_path / "outputs" / ".hydra").mkdir(parents=True)
    (tmp_path / "outputs" / "results.json").write_text("{")
    (run,) = json.loads(printed(capsys, "report", "list", str(tmp_path), "--json"))
    assert run["folder"] == str(tmp_path / "outputs")
    assert "results.json" in run["error"]
    (tmp_path / "store" / "train-0123456789abcdef.partial").mkdir(parents=True)
    (item,) = json.loads(printed(capsys, "store", "list", "--store", str(tmp_path / "store"), "--json"))
    assert (item["kind"], item["state"], item["bytes"]) == ("train", "unfinished", 0)


@pytest.mark.parametrize(
    ("line", "names", "rest"),
    [
        ("dfwe s", "search score store", "dfwe s"),
        ("dfwe store ", "", None),
        ("dfwe run +tar", "", "dfwe +tar"),
        ("dfwe +target=m", "", "dfwe +target=m"),
        ("", "", ""),
    ],
)
def test_completion_knows_commands_and_leaves_studies_to_hydra(line, names, rest, capsys, monkeypatch):
    monkeypatch.setenv("COMP_LINE", line)
    monkeypatch.setattr(cli.importlib, "import_module", lambda name: pytest.fail("asked") if rest is None else Study)
    assert printed(capsys, "-sc", "query=bash").split() == names.split()
    assert rest is None or cli.os.environ["COMP_LINE"] == rest


class Study:
    """Stands for dfwe.run."""

    @staticmethod
    def main(arguments):
        assert arguments == ["-sc", "query=bash"]
        return 0


def test_help_and_lists_start_without_heavy_imports(tmp_path):
    heavy = "{'torch', 'transformers', 'pytorch_lightning', 'hydra', 'numpy', 'rich'}"
    code = (
        "import sys\nfrom dfwe.cli import dispatch\nassert dispatch(['--help']) == 0\n"
        f"assert dispatch(['store', 'list', '--store', {str(tmp_path)!r}]) == 0\n"
        f"assert not {heavy} & set(sys.modules), {heavy} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_study_runs_as_a_module_and_ends_with_hydras_output():
    done = subprocess.run([sys.executable, "-m", "dfwe", "target=meld", "--cfg", "job"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "name: MELD_emotion_recognition" in done.stdout
