"""The card of an exported model: in the Hub's format, and of the results alone."""

import re
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from dfwe.models.origin import Origin
from dfwe.report.model_card import CITATION, ModelFacts, coefficient_table, model_card, with_answer
from dfwe.report.study_results import as_study

SCORES = {"score": 0.5, "metrics": {"F1-micro": 0.6, "F1-weighted": 0.4}}


def results(baseline=None, **changes):
    merge = {
        "name": "ties",
        "kind": "merge",
        "dev": SCORES,
        "test": {**SCORES, "interval": [0.4, 0.6]},
        "coefficients": {"meld": 0.75, "mixture": 0.25, "method.density": 0.3},
        "selection": "bagged",
        "evaluations": 7,
        **changes,
    }
    trained = {"name": "baseline", "kind": "baseline", "dev": SCORES, "test": SCORES, "tasks": ["meld"]}
    trained |= {"epochs": 3, "best_epoch": 2, **(baseline or {})}
    return as_study(
        {
            "format": 4,
            "target": "a_task",
            "sources": [],
            "models": [trained, merge],
            "headline": {},
            "recommended": {},
            "n": {"train": 8, "dev": 4, "test": 5},
            "data": {"tasks": {"meld": {"origin": "/home/ada/secret/corpus", "corpus": "abc123", "shots": "all"}}},
            "auto_class": "AutoModelForSeq2SeqLM",
            "warnings": [{"code": "few", "subject": "dev", "text": "dev has four rows"}],
        }
    )


def facts(**changes):
    origins = [Origin("flan", "google/flan-t5-base")]
    settings = {"density": 0.3, "scale": 1.0}
    merge = {"is_merge": True, "method": "ties", "settings": settings, "search": "searched by NelderMead"}
    return ModelFacts(**{"origins": origins, **merge, **changes})


def card(name="ties", of=None, **changes):
    return model_card(of or results(), name=name, facts=facts(**changes))


def test_metadata_is_the_hubs_and_comes_back():
    text = card()
    data = ModelCard(text).data
    assert data.library_name == "transformers"
    assert data.base_model == ["google/flan-t5-base"]
    assert data.base_model_relation == "merge"
    assert data.tags == ["merge", "dfwe"]
    assert data.pipeline_tag == "text2text-generation"
    assert (data.license, data.language) == (None, None)
    found = {(item.dataset_split, item.metric_name): item.metric_value for item in data.eval_results}
    assert found["test", "score"] == 0.5
    assert found["dev", "F1-micro"] == 0.6
    assert str(ModelCard(text)) == text
    assert ModelCard(str(ModelCard(text))).data.to_dict() == data.to_dict()


def test_body_says_what_was_merged_and_how_good_it_is():
    text = card(recipe="recipe.yaml makes these weights again.", paper="TIES (Yadav et al., 2023, arXiv:2306.01708): x")
    for line in (
        "| meld | 0.75 |",
        "| expert on all tasks | 0.25 |",
        "- merge method: ties (density 0.3, scale 1.0)",
        "- coefficients: searched by NelderMead, 7 evaluations on dev",
        "recipe.yaml makes these weights again.",
        "| test | score | 50.0 | 40.0 to 60.0 |",
        "| meld | 8 train, 4 dev, 5 test | corpus | abc123 |",
        "- dev has four rows.",
        "The merge method is TIES (Yadav et al., 2023, arXiv:2306.01708).",
        "python llama.cpp/convert_hf_to_gguf.py . --outfile model.gguf",
    ):
        assert f"\n{line}" in text
    assert "secret" not in text  # folders of this machine
    assert "method.density" not in text


def test_equal_coefficients_were_not_searched():
    text = card(search="")
    assert "- coefficients: equal, nothing was searched\n" in text
    assert "evaluations" not in text
    assert "selection" not in text


def test_code_asks_in_the_tasks_form():
    assert 'tokenizer("Text: a text to ask the model about\\nTopic:", ' in card(template="Text: {text}\nTopic:")
    assert 'tokenizer("a text to ask the model about", ' in card()
    pair = dict(results().raw) | {"auto_class": "AutoModelForSequenceClassification"}
    pair["questions"] = {"form": "rows", "columns": ["premise", "hypothesis"]}
    text = "a text to ask the model about"
    assert f'tokenizer("{text}", "{text}", truncation=True, return_tensors="pt")\n' in card(of=as_study(pair))


def test_licence_is_named_only_where_all_parents_agree():
    same = [Origin("a", license="mit", languages=("en",)), Origin("b", license="mit", languages=("en",))]
    assert (ModelCard(card(origins=same)).data.license, ModelCard(card(origins=same)).data.language) == ("mit", ["en"])
    mixed = [*same, Origin("c")]
    text = card(origins=mixed)
    assert ModelCard(text).data.license is None
    assert ModelCard(text).data.base_model is None
    assert "| a | mit |" in text
    assert "| c | unknown |" in text


def test_trained_model_is_no_merge():
    text = card("baseline", is_merge=False)
    data = ModelCard(text).data
    assert (data.tags, data.base_model_relation) == (["dfwe"], "finetune")
    assert "## How it was made\n\n- last trained on: meld\n- epochs: 3, with the weights of epoch 2\n" in text


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"averaging": {"epochs": 2}}, "epochs: 3, with an average of the weights that it had on the way"),
        ({"epochs": 0, "stage": "linear_probe-12ab"}, "the head was fitted to the features of the frozen base model"),
        ({"epochs": 0, "stage": "combination-12ab"}, "PEFT combined the factors of the experts"),
        ({"epochs": 0, "stage": "expert-12ab"}, "taken as it is, nothing was trained"),
    ],
)
def test_how_a_model_that_is_no_merge_was_made(changes, line):
    how = card("baseline", of=results(changes), is_merge=False).split("## How it was made\n\n")[1]
    assert f"- {line}\n" in how.split("\n\n")[0] + "\n"


def test_undefined_scores_are_not_among_the_metadata():
    text = card(of=results(test={"score": None, "metrics": {"F1-micro": None}}))
    assert {item.dataset_split for item in ModelCard(text).data.eval_results} == {"dev"}
    assert "| test | score | undefined |  |" in text


def test_groups_have_a_row_each():
    row = {"coefficients": {"h.0/a": 0.1, "h.0/mixture": 0.9, "h.1/a": 0.5, "h.1/mixture": 0.5}}
    table = coefficient_table(row)
    assert (table.columns, table.rows[0]) == (["a", "expert on all tasks"], ("h.0", ["0.1", "0.9"]))
    assert coefficient_table({"coefficients": {}}) is None


def test_what_a_user_named_is_neither_markup_nor_a_new_line():
    text = card(origins=[Origin("<script>|x|\n# h")], asked="see [here](http://x) `a`")
    assert "| &lt;script&gt;\\|x\\| # h | unknown |" in text
    assert "see \\[here\\](http://x) \\`a\\`" in text


def test_answer_stands_below_the_title():
    text = with_answer(card(), ["Ship it.", "It is good."])
    assert "# a_task: ties\n\nShip it.\nIt is good.\n" in text
    assert ModelCard(text).data.to_dict() == ModelCard(card()).data.to_dict()


@pytest.mark.parametrize("field", ["title", "version", "license", "year"])
def test_citation_is_that_of_the_repository(field):
    cff = (Path(__file__).parents[2] / "CITATION.cff").read_text()
    values = [value.strip('" ') for value in re.findall(rf"(?m)^ *{field}: (.*)$", cff)]
    assert values
    assert values[0] in CITATION
