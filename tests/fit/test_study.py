"""The study of a fit: its arguments are read as they were meant."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from dfwe.conf import conf_dir
from dfwe.config.compose import compose_study
from dfwe.config.task_options import register
from dfwe.fit.command import main
from dfwe.fit.study import check_settings, study_arguments


@pytest.mark.parametrize(
    "out", ["für_x", "it's", "a b", "true", "007", "1e5", "../up", "/tmp/x", "a,b", "outputs/fit_x"]
)
def test_the_folder_is_read_as_it_was_named(out):
    arguments = study_arguments("meld", sources=["mnli"], model="t5_toy", settings=(), out=Path(out))
    register()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        config = compose("config", overrides=arguments[-1:], return_hydra_config=True)
    assert config.hydra.run.dir == out


@pytest.mark.parametrize("name", ["true", "null", "yes", "inf"])
def test_a_table_of_any_name_is_a_study(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"a long text {n},{n % 2}\n" for n in range(40))
    for file in (f"{name}.csv", "nan.csv"):
        Path(file).write_text(f"text,label\n{rows}")
    arguments = [f"{name}.csv", "--source", "nan.csv", "--model", "bert_toy_classifier", "--shots", "4", "--dry-run"]
    assert main([*arguments, "--out", "out"]) == 0
    target = next(path.stem for path in Path("out/conf/task").iterdir() if path.stem.startswith(name))
    study = study_arguments(
        target,
        sources=["nan_table"],
        model="bert_toy_classifier",
        settings=[f"data.shots={{{target}: 4}}"],
        out=Path("out"),
    )
    config = compose_study(study[2:], config_dirs=[Path("out/conf")])
    assert (list(config.target), list(config.sources)) == ([target], ["nan_table"])


@pytest.mark.parametrize("setting", ["export=true", "stages.until=evaluate", "stages.skip=[merge]", "seed=1"])
def test_settings_that_leave_a_model_pass(setting):
    check_settings([setting])
