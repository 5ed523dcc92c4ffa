"""The wheel holds all that the command needs: built, installed into a folder, and run from an empty one."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
SMALL = (
    "model.pretrain=null",
    "model.source.vocab_size=400",
    "model.source.config={d_model: 16, d_kv: 8, d_ff: 32, num_layers: 1, num_heads: 2}",
    "data.generator.num_train=12",
    "data.generator.num_dev=8",
    "data.generator.num_test=8",
    "trainer.train.epochs=1",
    "trainer.finetune.epochs=1",
    "trainer.threads=1",
    "merge.search.budget=3",
    "baselines=[]",
    "diagnostics=[]",
)


def pip(*arguments):
    options = ("--quiet", "--no-index", "--no-deps", "--disable-pip-version-check")
    command, *rest = arguments
    subprocess.run([sys.executable, "-m", "pip", command, *options, *rest], check=True, timeout=300)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy so that nothing is written into the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(PROJECT / "dfwe", folder / "src" / "dfwe", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(PROJECT / "conf", folder / "src" / "conf")
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, folder / "src")
    pip("wheel", "--no-build-isolation", "--wheel-dir", str(folder), str(folder / "src"))
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A folder that it is installed in."""
    folder = tmp_path_factory.mktemp("site")
    pip("install", "--target", str(folder), str(wheel))
    return folder


@pytest.fixture
def run(installed, tmp_path):
    """A function that runs the installed command in an empty folder, and gives what it printed."""

    def command(*arguments):
        line = [sys.executable, str(installed / "bin" / "dfwe"), *arguments]
        environment = {**os.environ, "PYTHONPATH": str(installed)}
        done = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return command


def test_the_wheel_holds_every_file_of_the_project(wheel):
    held = set(zipfile.ZipFile(wheel).namelist())
    files = [path for path in PROJECT.joinpath("dfwe").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    expected = {path.relative_to(PROJECT).as_posix() for path in files}
    yaml = PROJECT.joinpath("conf").rglob("*.yaml")
    expected |= {f"dfwe/configuration/{path.relative_to(PROJECT / 'conf').as_posix()}" for path in yaml}
    assert {name for name in held if ".dist-info/" not in name} == expected


def test_help_and_the_configuration_are_the_wheels_own(run, installed):
    assert "dfwe run" in run("--help")
    assert "target: " in run("run", "--help")
    assert "name: MELD_emotion_recognition" in run("+target=meld", "--cfg", "job")
    asked = [sys.executable, "-c", "from dfwe.conf import conf_dir; print(conf_dir())"]
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    where = subprocess.run(asked, cwd=installed, env=environment, capture_output=True, text=True, check=True).stdout
    assert Path(where.strip()) == installed.resolve() / "dfwe" / "configuration"


def test_a_study_runs_from_the_wheel(run, tmp_path):
    run("+target=meld", "sources=[personality]", *SMALL, "paths.store=store", "hydra.run.dir=run")
    assert (tmp_path / "run" / "results.json").is_file()
    assert "<svg" in (tmp_path / "run" / "report.html").read_text("utf-8")
