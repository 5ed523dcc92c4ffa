"""The page that a study leaves."""

import json
import re
from html import unescape

from dfwe.predict.command import main
from dfwe.report.names import name_of


def test_a_study_leaves_its_page_and_pictures(ran):
    folder, _, _ = ran
    html = (folder / "report.html").read_text(encoding="utf8")
    results = json.loads((folder / "results.json").read_text())
    assert f"{100 * results['headline']['test']:.1f}" in html
    assert all(name_of(row) in html for row in results["models"] if row["kind"] == "expert")
    names = {path.stem for path in (folder / "pictures").glob("*.svg")}
    assert {"trace_nelder_mead", "coefficients", "confusion_baseline", "confusion_nelder_mead"} <= names


def codes(folder):
    """The pieces of code in a run's page, as a reader copies them."""
    html = (folder / "report.html").read_text(encoding="utf8")
    return [unescape(code) for code in re.findall(r'(?s)<pre tabindex="0"><code>(.*?)</code></pre>', html)]


def test_the_pages_code_loads_the_model_to_ship_and_asks_it(ran, monkeypatch, capsys):
    folder, _, _ = ran
    labels = json.loads((folder / "test_predictions.json").read_text())["task"]["labels"]
    python, _, transformers, *_ = codes(folder)
    monkeypatch.chdir(folder)
    exec(python, {})
    assert capsys.readouterr().out.strip() in [str([label]) for label in labels]
    found = {}
    exec(transformers, found)
    assert found["model"].config.vocab_size >= len(found["tokenizer"]) > 0


def test_the_pages_command_answers_a_table_with_the_columns_it_names(ran, tmp_path, monkeypatch, capsys):
    folder, _, _ = ran
    comment, command = codes(folder)[1].split("\n")
    columns = comment.removeprefix("# a table with the columns ").split(", ")
    (tmp_path / "best").symlink_to(folder / "best")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "texts.csv").write_text(",".join(columns) + "\n" + ",".join(["one"] * len(columns)) + "\n")
    assert main(command.split()[2:]) == 0
    assert capsys.readouterr().out.count("\n") >= 1
