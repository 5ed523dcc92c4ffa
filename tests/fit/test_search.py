"""`dfwe search`: from models and a table to coefficients, a model and its card; mistakes before anything heavy."""

import json
import re
from contextlib import chdir
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard
from safetensors.torch import load_file
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification, LlamaForCausalLM

from dfwe.combine import main as merge
from dfwe.families.causal_lm.weights import FreshLlama
from dfwe.families.encoder.weights import FreshBert
from dfwe.fit.search import main
from dfwe.io.strict_yaml import read_yaml
from dfwe.models.hub import Push

SMALL = ["--budget", "3", "--out", "out", "--set", "report=false", "diagnostics=[]"]


@pytest.fixture
def table(tmp_path, monkeypatch):
    """The name of a table of forty messages, in the current folder."""
    monkeypatch.chdir(tmp_path)
    rows = [f"{('the boat left', 'the soup boiled')[n % 2]} at {n},{('sea', 'pan')[n % 2]}" for n in range(40)]
    (tmp_path / "dev.csv").write_text("\n".join(["text,topic", *rows]) + "\n", encoding="utf8")
    return "dev.csv"


@pytest.fixture
def classifiers(tmp_path):
    """The names of two folders with tiny classifiers of one origin."""
    shape = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    FreshBert(150, shape).build(tmp_path / "base", seed=0, texts=["the boat left", "the soup boiled"])
    labels = {0: "pan", 1: "sea"}
    config = BertConfig.from_pretrained(tmp_path / "base", id2label=labels, num_labels=2)
    for number, name in enumerate("ab"):
        torch.manual_seed(number)
        BertForSequenceClassification(config).save_pretrained(tmp_path / name)
        AutoTokenizer.from_pretrained(tmp_path / "base").save_pretrained(tmp_path / name)
    return ["a", "b"]


@pytest.fixture
def results(tmp_path):
    """A function that reads the results of the output folder."""
    return lambda: json.loads((tmp_path / "out" / "results.json").read_text())


@pytest.mark.parametrize("form", ["{}", "{}/model.safetensors"], ids=["folders", "files"])
def test_a_table_may_lack_a_label_of_the_models(table, classifiers, results, form):
    for name in classifiers:
        labels = {0: "sky", 1: "pan", 2: "sea"}
        config = BertConfig.from_pretrained(name, id2label=labels)
        BertForSequenceClassification(config).save_pretrained(name)
    names = [form.format(name) for name in classifiers]
    arguments = ["--models", *names, "--base", "base", "--data", table, "--text", "text", "--label", "topic"]
    assert main([*arguments, *SMALL]) == 0
    assert read_yaml(Path("out/conf/task/dev.yaml"))["labels"] == ["sky", "pan", "sea"]
    assert results()["classes"]["dev"]["gold"] == {"sky": 0, "pan": 9, "sea": 9}


def test_a_test_table_is_answered_whole_and_the_other_is_dev(table, classifiers, results, tmp_path):
    (tmp_path / "test.csv").write_text("text,topic\n" + "the boat left early,sea\nthe soup boiled over,pan\n" * 4)
    assert main(["--models", *classifiers, "--data", table, "--test", "test.csv", *SMALL]) == 0
    assert results()["n"]["test"] == 8
    assert results()["n"]["dev"] >= 30


def test_classifiers_get_coefficients_and_a_card(table, classifiers, results, tmp_path, capfd):
    layers = ["export_experts=true", "merge/by=layer", "merge.selection=argmax"]
    columns = ["--text", "text", "--label", "topic"]
    assert main(["--models", *classifiers, "--data", table, *columns, *SMALL, *layers]) == 0
    output = capfd.readouterr().out
    assert "splits: 2 train, 20 dev, 18 test (50 % dev, 45 % test" in output
    row = next(row for row in results()["models"] if row["name"] == "nelder_mead")
    shares = ", ".join(f"{name} {value:.3f}" for name, value in row["coefficients"].items())
    assert f"coefficients of nelder_mead: {shares}" in output
    check_leaves(tmp_path / "out", capfd, answers=("pan", "sea"))
    assert "Ship out/best" in output
    card = (tmp_path / "out" / "best" / "README.md").read_text()
    assert "\nShip this model (" in card
    assert "out/best" not in card  # a folder of this machine
    assert "| classifier |" not in card  # no base model was named
    assert "the plain model" not in card.lower()
    best = BertForSequenceClassification.from_pretrained(tmp_path / "out" / "best")
    assert best.config.id2label == {0: "pan", 1: "sea"}


def check_leaves(run, capfd, *, answers):
    """Check that the merge's recipe gives its weights again, and that the card's code prints one of the answers."""
    with chdir(run):
        assert merge(["merged/recipe.yaml", "again"]) == 0
        made, again = (load_file(f"{folder}/model.safetensors") for folder in ("merged", "again"))
        assert made.keys() == again.keys()
        for name, tensor in made.items():
            torch.testing.assert_close(again[name], tensor, atol=1e-6, rtol=0)
    card = ModelCard.load(run / "merged" / "README.md")
    capfd.readouterr()
    with chdir(run / "merged"):
        exec(re.search(r"(?s)```python\n(from transformers.*?)\n```", card.text)[1], {})
    assert capfd.readouterr().out.strip() in answers


def test_decoders_are_asked_by_the_users_prompt(table, results, tmp_path, capfd):
    shape = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "num_key_value_heads": 1}
    for seed, name in enumerate("ab"):
        source = FreshLlama(300, {**shape, "intermediate_size": 8})
        source.build(tmp_path / name, seed=seed, texts=["the boat left", "the soup boiled"])
    prompt = ["--prompt", "Message: {text}\nTopic:", "--label", "topic", "--base", "a", "--merge", "task_arithmetic"]
    tuned = ["export_experts=true", "merge.tuned_parameters={scale: {low: 0.5, high: 1.5}}"]
    assert main(["--models", "a", "b", "--data", table, *prompt, *SMALL, *tuned]) == 0
    model, tokenizer = (auto.from_pretrained("out/merged") for auto in (LlamaForCausalLM, AutoTokenizer))
    ids = tokenizer("Message: a text to ask the model about\nTopic:", return_tensors="pt").input_ids
    written = model.generate(ids, max_new_tokens=20)[0, ids.shape[1] :]
    check_leaves(tmp_path / "out", capfd, answers=[tokenizer.decode(written, skip_special_tokens=True).strip()])
    card = (tmp_path / "out" / "merged" / "README.md").read_text()
    assert "\n| a | unknown |" in card
    assert 'tokenizer("Message: a text to ask the model about\\nTopic:", ' in card
    rows = {row["name"]: row for row in results()["models"]}
    assert rows["baseline"]["title"] == "base model"
    task = (tmp_path / "out" / "conf" / "task" / "dev.yaml").read_text()
    assert "Message: {text}" in task


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--models", "a", "/nowhere/b", "--data", "dev.csv"], "there is no folder or file /nowhere/b"),
        (["--models", "a", "b", "--data", "gone.csv"], "gone.csv"),
        (["--models", "a,b", "--data", "dev.csv"], "--models a,b is one model: name two or more, with a space between"),
        (["--models", "a", "b", "--data", "dev.csv", "--prompt", "no column"], "--prompt 'no column' shows no column"),
        (["--models", "a", "b", "--data", "dev.csv", "--merge", "ties"], "(--base of dfwe search)"),
        (["--models", "a", "a", "--data", "dev.csv"], "two experts are the same: a, a"),
        (["--models", "a", "b", "--data", "dev.csv", "--set", "export=false"], "leaves no model to ship"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(table, classifiers, capfd, arguments, words):
    assert main([*arguments, "--out", "out"]) == 2
    error = capfd.readouterr().err
    assert words in error
    assert "Traceback" not in error


def test_model_is_pushed_with_its_whole_card(table, classifiers, tmp_path, monkeypatch, capfd):
    calls = []
    monkeypatch.setattr(Push, "check", lambda push: calls.append((push, (tmp_path / "out" / "best").exists())))
    monkeypatch.setattr(Push, "upload", lambda push, folder: (folder / "README.md").read_text())
    columns = ["--text", "text", "--label", "topic", "--push-to", "ada/boats", "--public"]
    assert main(["--models", *classifiers, "--data", table, *columns, *SMALL]) == 0
    assert calls == [(Push("ada/boats", private=False), False)]
    pushed = capfd.readouterr().out.split("pushed: ")[1]
    assert "\nShip this model" in pushed
    assert "library_name: transformers" in pushed


def test_impossible_repository_is_refused_at_once(table, classifiers, tmp_path, capfd):
    assert main(["--models", *classifiers, "--data", table, "--push-to", "ada", *SMALL]) == 2
    assert "--push-to ada: expected a repository on the Hub, as user/name" in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_metric_of_ones_own_decides(table, classifiers, results, tmp_path):
    (tmp_path / "mine.py").write_text(
        "def short(predictions, references):\n    return sum(p == 'sea' for p in predictions) / len(predictions)\n"
    )
    arguments = ["--models", *classifiers, "--data", table, "--text", "text", "--label", "topic"]
    assert main([*arguments, "--metric", "mine.py:short", *SMALL]) == 0
    row = next(row for row in results()["models"] if row["name"] == "uniform")
    test = row["test"]
    answers = json.loads((tmp_path / "out" / "test_predictions.json").read_text())["models"]["uniform"]
    assert test["metrics"]["short"] == answers.count("sea") / len(answers)
    assert test["interval"][0] <= test["score"] <= test["interval"][1]
    from dfwe.predict import load

    assert load(tmp_path / "out" / "best").labels == ("pan", "sea")  # without the function, which a file names


def test_a_metric_that_fails_ends_the_search_before_it_begins(table, classifiers, tmp_path, capfd):
    (tmp_path / "mine.py").write_text("def wrong(predictions, references):\n    return float('nan')\n")
    arguments = ["--models", *classifiers, "--data", table, "--text", "text", "--label", "topic"]
    assert main([*arguments, "--metric", "mine.py:wrong", *SMALL]) == 2
    assert "wrong returned nan for 20 examples: return a finite number" in capfd.readouterr().err
