"""What --help prints."""

import sys

import pytest

from dfwe.config.task_options import check_configs, help_text
from dfwe.errors import ConfigurationError
from dfwe.run import main


def test_help_names_every_group_with_its_options():
    lines = help_text().splitlines()
    assert "merge/selection: argmax, bagged, greedy_soup, one_standard_error, uniform" in lines
    assert "source_selection: fisher, gradients, transfer" in lines
    assert "  dfwe +target=meld merge=nelder_mead               the paper's method on the toy corpus" in lines
    assert "$" not in help_text()


def test_help_has_the_tasks_as_targets_and_sources_and_a_users_own(tmp_path):
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "mine.yaml").write_text("name: my_task\n")
    groups = dict(line.split(": ", 1) for line in help_text((tmp_path,)).splitlines() if ": " in line)
    for group in ("target", "sources"):
        assert {"meld", "mine"} <= set(groups[group].split(", "))
    assert "all" in groups["sources"].split(", ")


def test_the_command_prints_it_and_runs_nothing(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["dfwe", "+target=meld", "--help"])
    assert main() == 0
    assert capsys.readouterr().out == help_text() + "\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: &a [x]\n" + "".join(f"a{n}: &a{n} [{', '.join(['*a'] * 9)}]\n" for n in range(2)), None),
        ("rule: " + "[" * 40 + "]" * 40, r"merge/mine\.yaml, line 1, column 36: it is nested deeper than 30 levels"),
        ("rule: !!int x", r"merge/mine\.yaml, line 1, column 7: 'x' is not a value of its tag !!int"),
        ("rule:\n\tx: 1", r"merge/mine\.yaml, line 2, column 1"),
    ],
)
def test_options_of_a_users_folder_are_read_strictly(tmp_path, content, message):
    (tmp_path / "merge").mkdir()
    (tmp_path / "merge" / "mine.yaml").write_text(content)
    (tmp_path / "compose.yaml").write_text("services: !reset []")  # none of dfwe's business
    if message is None:
        check_configs([tmp_path])
    else:
        with pytest.raises(ConfigurationError, match=message):
            check_configs([tmp_path])
