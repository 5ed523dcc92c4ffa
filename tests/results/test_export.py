"""Exported models leave with their card and recipe, and load elsewhere."""

import re
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard
from safetensors.torch import load_file
from transformers import AutoModelForSeq2SeqLM

from dfwe.combine import main
from dfwe.errors import ConfigurationError
from dfwe.run_study import run_study


@pytest.fixture(scope="module")
def exported(ran, small, tmp_path_factory):
    """The run's folder of a study with a merge on task vectors and its experts, in small shards."""
    _, store, _ = ran
    folder = tmp_path_factory.mktemp("exported")
    settings = [
        "merge=task_arithmetic",
        "merge.method.scale=0.8",
        "merge/by=layer",
        "merge/search=random",
        "merge.search.budget=12",
    ]
    config = small(store, *settings, "export_experts=true", "max_shard_size=20KB")
    run_study(config, folder=folder)
    return folder


def tensors(folder):
    return {name: tensor for file in folder.glob("*.safetensors") for name, tensor in load_file(file).items()}


def test_recipe_gives_the_exported_weights_again(exported, tmp_path, monkeypatch):
    monkeypatch.chdir(exported)
    assert main(["merged/recipe.yaml", str(tmp_path / "again")]) == 0
    made, again = tensors(exported / "merged"), tensors(tmp_path / "again")
    assert made.keys() == again.keys()
    for name, tensor in made.items():
        torch.testing.assert_close(again[name], tensor, atol=1e-6, rtol=0)


def test_recipe_says_how_to_run_it(exported):
    text = (exported / "merged" / "recipe.yaml").read_text()
    assert "#   dfwe merge merged/recipe.yaml FOLDER\n#   mergekit-yaml merged/recipe.yaml FOLDER\n" in text
    assert "base_model: ./parent\n" in text


def test_large_weights_are_exported_in_shards(exported):
    assert (exported / "merged" / "model.safetensors.index.json").is_file()
    assert not (exported / "merged" / "model.safetensors").exists()
    loaded = AutoModelForSeq2SeqLM.from_pretrained(exported / "merged").state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in tensors(exported / "merged").items())


def test_cards_code_answers(exported, monkeypatch, capsys):
    card = ModelCard.load(exported / "merged" / "README.md")
    monkeypatch.chdir(exported / "merged")
    for code in re.findall(r"(?s)```python\n(.*?)\n```", card.text):
        exec(code, {})
    assert capsys.readouterr().out.strip()


def test_card_of_each_folder_is_of_its_model(ran):
    folder, _, _ = ran
    for place, tag in (("best", None), ("merged", "merge")):
        card = ModelCard.load(folder / place / "README.md")
        assert card.data.library_name == "transformers"
        assert {item.dataset_split for item in card.data.eval_results} == {"dev", "test"}
        assert tag is None or tag in card.data.tags
    assert "| t5_toy | unknown |" in (folder / "merged" / "README.md").read_text()
    assert str(Path.home()) not in (folder / "merged" / "README.md").read_text()


def test_push_without_an_exported_model_is_refused(composed):
    from dfwe.config.consistency import check_study

    for setting in ("export=false", "stages.until=merge"):
        with pytest.raises(ConfigurationError, match="push.repo=ada/x needs a model"):
            check_study(composed("+target=meld", "push.repo=ada/x", setting))
