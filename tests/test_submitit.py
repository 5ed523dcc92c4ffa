"""A sweep whose jobs a launcher starts in processes of their own, as SLURM would."""

import json
import subprocess
import sys

import pytest
from omegaconf import OmegaConf

from dfwe.run_study import run_study
from dfwe.sweeps.callback import ERROR, SweepCallback

LITTLE = (
    "+target=meld",
    "sources=[emory_emotion,personality]",
    "subset.size=1",
    "model.pretrain=null",
    "model.source.vocab_size=400",
    "model.source.config={d_model: 16, d_kv: 8, d_ff: 32, num_layers: 1, num_heads: 2}",
    "data.generator.num_train=10",
    "data.generator.num_dev=6",
    "data.generator.num_test=6",
    "trainer.train.epochs=1",
    "trainer.finetune.epochs=1",
    "trainer.threads=1",
    "stages.skip=[finetune]",
    "merge.search.budget=2",
    "baselines=[]",
    "diagnostics=[]",
    "export=false",
)


def results(folder):
    found = json.loads((folder / "results.json").read_text())
    return [timeless(found[key]) for key in ("models", "headline", "seed", "sources")]


def timeless(found):
    if isinstance(found, dict):
        return {key: timeless(each) for key, each in found.items() if key != "seconds"}
    return [timeless(each) for each in found] if isinstance(found, list) else found


def test_jobs_of_submitit_share_a_store_and_end_as_jobs_in_one_process_do(composed, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher", reason="pip install 'dfwe[slurm]'")
    where = [f"paths.store={tmp_path}/store", f"hydra.sweep.dir={tmp_path}/sweep", "hydra/launcher=submitit_local"]
    command = [sys.executable, "-m", "dfwe.run", "-m", *LITTLE, "subset.number=0,1", *where]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "sets of sources with" in " ".join(done.stdout.replace("│", " ").split())
    for number in (0, 1):
        (folder := tmp_path / str(number)).mkdir()
        few = (f"subset.number={number}", "report=false", f"paths.store={tmp_path}/other")
        run_study(composed(*LITTLE, *few), folder=folder)
        assert results(tmp_path / "sweep" / f"subset.number-{number}") == results(folder)
    assert f"page: {tmp_path}/sweep/comparison.html" in done.stdout
    assert (tmp_path / "sweep" / "comparison.html").exists()
    assert len(list((tmp_path / "store").glob("train-*"))) == len(list((tmp_path / "other").glob("train-*"))) == 6


def test_errors_of_jobs_in_other_processes_are_said_at_the_end_and_the_exit_code_is_2(tmp_path, capsys):
    (tmp_path / "3").mkdir()
    (tmp_path / "3" / ERROR).write_text("error: job 3 (seed=3): no\n")
    hydra = {"launcher": {"_target_": "a.launcher.of.Others"}, "sweep": {"dir": str(tmp_path)}}
    with pytest.raises(SystemExit, match="2"):
        SweepCallback().on_multirun_end(OmegaConf.create({"report": True, "hydra": hydra}))
    assert "error: job 3 (seed=3): no\n" in capsys.readouterr().err
    hydra["launcher"]["_target_"] = (
        "hydra._internal.core_plugins.basic_launcher.BasicLauncher"  # it has said so already
    )
    SweepCallback().on_multirun_end(OmegaConf.create({"report": True, "hydra": hydra}))
