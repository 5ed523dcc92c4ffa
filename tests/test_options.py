"""What --help prints."""

import sys

from dfwe.options import help_text
from dfwe.run import command


def test_help_names_every_group_with_its_options():
    lines = help_text().splitlines()
    assert "merge/pick: argmax, bagged, one_standard_error, soup, uniform" in lines
    assert "choice: fisher, gradients, transfer" in lines
    assert "  dfwe +target=meld merge=nelder_mead               the paper's method on the toy corpus" in lines
    assert "$" not in help_text()


def test_help_has_the_tasks_as_targets_and_sources_and_a_users_own(tmp_path):
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "mine.yaml").write_text("name: my_task\n")
    groups = dict(line.split(": ", 1) for line in help_text((tmp_path,)).splitlines() if ": " in line)
    for group in ("target", "sources", "task"):
        assert {"meld", "mine"} <= set(groups[group].split(", "))
    assert "all" in groups["sources"].split(", ")


def test_the_command_prints_it_and_runs_nothing(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["dfwe", "+target=meld", "--help"])
    assert command() == 0
    assert capsys.readouterr().out == help_text() + "\n"
