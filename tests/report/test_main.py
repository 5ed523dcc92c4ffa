"""The command."""

import subprocess
import sys

from dfwe.report.command import main


def test_the_command_shows_the_table_warns_and_writes(answered, tmp_path, capsys):
    out = tmp_path / "submission.zip"
    folders = [str(answered("personality_detection")), str(answered("question_answering"))]
    assert main(["submission", *folders, "--out", str(out), "--partial"]) == 0
    shown = capsys.readouterr()
    assert "mean of 2 tasks" in shown.out
    assert f"submission: {out}" in shown.out
    assert "warning: personality_detection: 2 test instances, the official test set has 550" in shown.err
    assert out.is_file()


def test_markdown_has_the_tables_of_a_run(plain, capsys):
    assert main(["markdown", str(plain())]) == 0
    assert "| ties (merge) | 50.0 | +10.0 (+6.0 to +14.0) | 55.0 |" in capsys.readouterr().out


def test_a_mistake_is_one_line_and_exit_code_2(tmp_path, capsys):
    assert main(["submission", str(tmp_path), "--out", str(tmp_path / "a.zip")]) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert shown.err.startswith("error: ")


def test_the_command_starts_without_torch():
    code = (
        "import sys, dfwe.report.command; assert not {'torch', 'transformers', 'pytorch_lightning'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
