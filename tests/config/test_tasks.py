"""A task's YAML that nobody vouched for: `score` and `show` take dfwe's own classes from it, and resolve nothing."""

import json

import pytest

from dfwe.config.tasks import load_task, read_foreign_yaml
from dfwe.data.show import main as show
from dfwe.errors import ConfigurationError
from dfwe.score import main as score

CASE = '{"prediction": "good", "references": ["good"]}\n'


def edited(my_conf, tmp_path, old, new):
    """A configuration folder with another `mood`."""
    text = (my_conf / "task" / "mood.yaml").read_text()
    assert old in text
    (tmp_path / "conf" / "task").mkdir(parents=True)
    (tmp_path / "conf" / "task" / "mood.yaml").write_text(text.replace(old, new, 1))
    return tmp_path / "conf"


def test_a_users_task_is_the_same_with_and_without_trust(my_conf):
    for name in ("mood", "tastes"):
        made, own = (load_task(name, folders=[my_conf], trusted=trusted) for trusted in (False, True))
        assert (made.prompt, made.scorer, made.labels, made.data) == (own.prompt, own.scorer, own.labels, own.data)
        assert made.foreign is not None
        assert own.foreign is None


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("default_sources: [taste]", "default_sources: []", True),
        ("decode: labels\nmax_new_tokens: 4", "max_new_tokens: 4\ndecode: labels", True),
        ("max_new_tokens: 4", "max_new_tokens: 5", False),
    ],
)
def test_results_are_kept_where_an_edit_changes_none(my_conf, tmp_path, old, new, same):
    folder = edited(my_conf, tmp_path, old, new)
    specs = [load_task("mood", folders=[at], trusted=True).spec() for at in (my_conf, folder)]
    assert (specs[0] == specs[1]) is same


def test_score_and_show_take_a_users_task(my_conf, my_files, tmp_path, capsys):
    (tmp_path / "cases.jsonl").write_text(CASE)
    assert score(["--task", "mood", "--config-dir", str(my_conf), str(tmp_path / "cases.jsonl")]) == 0
    assert json.loads(capsys.readouterr().out)["score"] == 1.0
    options = ["--task", "mood", "--split", "dev", "--max-words", "0", "--json", "--root", str(my_files)]
    assert show([*options, "--config-dir", str(my_conf)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 5


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("dfwe.metrics.classification.Accuracy", "os.system", "names 'os.system', which is not a Metric of dfwe"),
        ("dfwe.data.prompts.template.Template", "subprocess.run", "which is not a Prompt of dfwe"),
        ("column: mood", "column: '${oc.env:PATH}'", "is not run from a file"),
        ("column: mood", "column: '${oc.create:{_target_: os.system}}'", "is not run from a file"),
        ("column: mood", "column: 'a ${..${name}} b'", "is not run from a file"),
        ("task: ${..name}", "task: ${.....name}", "leads out of the file"),
        ("task: ${..name}", "task: ${..nothing}", "names no value of the file"),
        ("task: ${..name}", "task: ${..prompt}", "leads to another"),
        ("name: moods", "name: !!python/object/apply:os.system [ls]", "could not determine a constructor for the tag"),
    ],
)
def test_a_task_that_would_run_or_read_something_is_refused(my_conf, tmp_path, capsys, old, new, message):
    folder = edited(my_conf, tmp_path, old, new)
    (tmp_path / "cases.jsonl").write_text(CASE)
    assert score(["--task", "mood", "--config-dir", str(folder), str(tmp_path / "cases.jsonl")]) == 2
    assert message in capsys.readouterr().err


def test_a_reader_that_is_not_dfwes_is_refused(my_conf, my_files, tmp_path, capsys):
    folder = edited(my_conf, tmp_path, "dfwe.data.readers.delimited.Delimited", "os.remove")
    options = ["--task", "mood", "--split", "dev", "--max-words", "0", "--root", str(my_files)]
    assert show([*options, "--config-dir", str(folder)]) == 2
    assert "`reader`, `files`, `train` names 'os.remove', which is not a SheetSource of dfwe" in capsys.readouterr().err


def test_values_beside_are_named_and_texts_put_together(tmp_path):
    path = tmp_path / "task.yaml"
    path.write_text(
        "name: moods\nlist: [a, b]\ninner:\n  {full: 'the ${..name} task', same: '${...list}', at: [['${name}']]}"
    )
    with pytest.raises(ConfigurationError, match="leads out"):
        read_foreign_yaml(path)
    path.write_text(path.read_text().replace("...list", "..list"))
    assert read_foreign_yaml(path)["inner"] == {"full": "the moods task", "same": ["a", "b"], "at": [["moods"]]}


def test_a_file_that_is_not_a_task_is_refused(tmp_path):
    (tmp_path / "task.yaml").write_text("- a\n")
    with pytest.raises(ConfigurationError, match="must hold a task"):
        read_foreign_yaml(tmp_path / "task.yaml")
