"""Pushing to the Hub, against a server of our own that stands in for it."""

import json
import os
import subprocess
import sys

import huggingface_hub
import pytest
import torch
from safetensors.torch import load_file, save_file

from dfwe.combine import main
from dfwe.errors import ConfigurationError, ModelError, NetworkError
from dfwe.models.hub import Push, push_option
from dfwe.run_study import run_study


@pytest.fixture
def hub(stand_in, monkeypatch):
    """The stand-in, which the Hub's library takes for the Hub."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", stand_in.token)
    client = huggingface_hub.HfApi(endpoint=stand_in.address)
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: client)
    return stand_in


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model").mkdir()
    save_file({"w": torch.arange(6.0)}, tmp_path / "model" / "model.safetensors")
    (tmp_path / "model" / "README.md").write_text("---\ntags:\n- merge\n---\n\n# A model\n")
    return tmp_path / "model"


def test_folder_goes_into_a_private_repository(hub, folder, tmp_path):
    push = Push("ada/model")
    push.check()
    assert push.upload(folder) == f"{hub.address}/ada/model"
    assert hub.repositories["ada/model"]["visibility"] == "private"
    assert hub.files["ada/model"]["README.md"] == (folder / "README.md").read_bytes()
    (tmp_path / "again.safetensors").write_bytes(hub.files["ada/model"]["model.safetensors"])
    assert load_file(tmp_path / "again.safetensors")["w"].tolist() == [0, 1, 2, 3, 4, 5]


def test_public_repository_of_an_organization_is_public(hub, folder):
    Push("lab/model", private=False).check()
    Push("lab/model", private=False).upload(folder)
    assert hub.repositories["lab/model"]["visibility"] == "public"


def test_somebody_elses_repository_is_refused_before_any_work(hub):
    with pytest.raises(ConfigurationError, match=r"bob/model is not yours .* ada, who can write to ada, lab"):
        Push("bob/model").check()


def test_wrong_token_is_refused_before_any_work(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(NetworkError, match="ada/model cannot be pushed to"):
        Push("ada/model").check()


def test_no_token_is_refused_before_any_work(hub, monkeypatch, tmp_path):
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(ConfigurationError, match="nobody is logged in to push to ada/model: log in by `hf auth login`"):
        Push("ada/model").check()
    assert not hub.requests


def test_failing_push_says_how_to_push_later(hub, folder):
    hub.is_full = True
    with pytest.raises(NetworkError) as error:
        Push("ada/model").upload(folder)
    assert "storage limit reached" in str(error.value)
    assert str(error.value).endswith(f"push it later by `hf upload ada/model {folder} . --private`")
    assert "\n" not in str(error.value)


def test_missing_folder_is_not_pushed(hub, tmp_path):
    with pytest.raises(ModelError, match="no such model was exported"):
        Push("ada/model").upload(tmp_path / "best")


@pytest.mark.parametrize("name", ["model", "a/b/c", "ada/..", "ada/a--b", "ada/m.git", "-a/b", "ada/", "ada/b c"])
def test_impossible_name_is_refused(name):
    with pytest.raises(ConfigurationError, match="expected a repository on the Hub, as user/name"):
        push_option(name, is_public=False)


def test_options_say_where_to_push():
    assert push_option(None, is_public=False) is None
    assert push_option("ada/m.1_x", is_public=True) == Push("ada/m.1_x", private=False)
    with pytest.raises(ConfigurationError, match="--public is for a repository"):
        push_option(None, is_public=True)


def models(tmp_path):
    for name, value in {"a": 1.0, "b": 3.0}.items():
        (tmp_path / name).mkdir()
        save_file({"w": torch.full((3000,), value)}, tmp_path / name / "model.safetensors")
        (tmp_path / name / "config.json").write_text(json.dumps({"dtype": "float32"}))


def test_merge_is_pushed_by_the_commands_own_process(stand_in, tmp_path):
    models(tmp_path)
    command = [sys.executable, "-m", "dfwe", "merge", "linear", "a", "b", "--out", "out", "--push-to", "ada/ab"]
    environment = {**os.environ, "HF_ENDPOINT": stand_in.address, "HF_TOKEN": stand_in.token, "HF_HUB_OFFLINE": "0"}
    environment |= {"HF_HUB_DISABLE_XET": "1", "HF_HOME": str(tmp_path / "home")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"pushed: {stand_in.address}/ada/ab" in done.stdout
    assert {"config.json", "model.safetensors"} <= stand_in.files["ada/ab"].keys()


def test_study_pushes_the_model_that_was_chosen(hub, ran, small, tmp_path, capsys):
    _, store, _ = ran
    run_study(small(store, "push.repo=ada/mine", "push.folder=merged"), folder=tmp_path)
    assert f"pushed: {hub.address}/ada/mine" in capsys.readouterr().out
    assert hub.files["ada/mine"]["README.md"] == (tmp_path / "merged" / "README.md").read_bytes()
    assert {"recipe.yaml", "dfwe.json", "model.safetensors"} <= hub.files["ada/mine"].keys()


def test_study_whose_push_fails_keeps_all_it_made(hub, ran, small, tmp_path):
    _, store, _ = ran
    hub.is_full = True
    with pytest.raises(NetworkError, match="best is complete, but was not pushed"):
        run_study(small(store, "push.repo=ada/mine", "report=true"), folder=tmp_path)
    assert all((tmp_path / name).exists() for name in ("results.json", "report.html", "best/model.safetensors"))


def test_study_that_may_not_push_begins_nothing(hub, small, tmp_path):
    with pytest.raises(ConfigurationError, match="bob/mine is not yours"):
        run_study(small(tmp_path / "store", "push.repo=bob/mine"), folder=tmp_path / "run")
    assert not (tmp_path / "store").exists()


def test_merge_without_the_hub_does_no_work(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    models(tmp_path)
    assert main(["linear", "a", "b", "--out", "out", "--push-to", "ada/ab"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ada/ab cannot be pushed to (")
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()
