"""The command as a user meets it: one clear line, exit code 2, no traceback."""

import json

import pytest

SMALL = [
    "sources=[emory_emotion]",
    "model.pretrain=null",
    "model.source.vocab_size=400",
    "model.source.config={d_model: 16, d_kv: 8, d_ff: 32, num_layers: 1, num_heads: 2}",
    "data.generator.num_train=10",
    "data.generator.num_dev=6",
    "data.generator.num_test=6",
    "trainer.train.epochs=1",
    "trainer.finetune.epochs=1",
    "trainer.threads=1",
    "merge.search.budget=2",
    "baselines=[]",
    "diagnostics=[]",
]


@pytest.fixture
def dfwe(run_module):
    """A function that runs the command with its store and its run in a folder."""

    def run(*arguments, folder):
        where = [f"paths.store={folder}/store", f"hydra.run.dir={folder}/run", f"hydra.sweep.dir={folder}/sweep"]
        return run_module("dfwe.run", *arguments, *where)

    return run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "a study needs one target: set +target=<task>"),
        (["+target=meld", "sources=[meld,personality]"], "the target 'meld' is among its sources"),
        (["+target=meld", "merge.name=../elsewhere"], "merge.name=../elsewhere: expected a text of letters, digits"),
        (["+target=meld", "data=friends"], "a value is missing: set data.root=..."),
        (
            ["+target=meld", "data=friends", "data.root=nowhere", "model=t5_toy"],
            "is missing: data.root must be the folder",
        ),
    ],
)
def test_a_mistake_is_one_line_on_stderr_and_exit_code_2(dfwe, arguments, message, tmp_path):
    done = dfwe(*arguments, folder=tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line


def test_runs_of_one_moment_have_folders_of_their_own_and_plans_and_slips_none(run_module, tmp_path):
    name = "hydra.run.dir=runs/${now:%Y}_${run_name:}"  # the same for all of one year
    study = ["+target=meld", "merge=ties", "seed=3", *SMALL, "report=false", "export=false", name]
    for arguments, code in ([*study, "sources=[meld,personality]"], 2), ([*study, "plan_only=true"], 0):
        assert run_module("dfwe.run", *arguments, cwd=tmp_path).returncode == code
        assert not list(tmp_path.glob("runs/*"))
    both = run_module("dfwe.run", *study, cwd=tmp_path, at_once=2)
    assert both.returncode == 0, both.stderr
    first, second = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert first.endswith("_meld_ties_s3")
    assert second == f"{first}_2"
    assert all((tmp_path / "runs" / run / "results.json").exists() for run in (first, second))


def test_a_named_folder_keeps_another_studys_results_and_takes_the_same_command_again(dfwe, tmp_path):
    small = [*SMALL, "report=false"]
    assert dfwe("+target=meld", *small, "export=false", folder=tmp_path).returncode == 0
    before = (tmp_path / "run" / "results.json").read_bytes()
    other = dfwe("+target=meld", *small, "merge=ties", folder=tmp_path)
    assert other.returncode == 2
    assert "holds the results of another study (nothing more there, merge=ties here): set hydra.run.dir" in other.stderr
    assert (tmp_path / "run" / "results.json").read_bytes() == before
    assert dfwe("+target=meld", *small, "export=true", folder=tmp_path).returncode == 0
    assert (tmp_path / "run" / "merged").is_dir()


def test_in_a_sweep_a_failed_job_is_reported_and_the_others_run(dfwe, tmp_path):
    done = dfwe("-m", "+target=emory_emotion,meld", *SMALL, folder=tmp_path)
    assert done.returncode == 2
    assert "error: job 0 (" in done.stderr
    assert "the target 'emory_emotion' is among its sources" in done.stderr
    results = json.loads((tmp_path / "sweep" / "target-meld" / "results.json").read_text())
    assert results["command"].startswith("python -m dfwe.run +target=meld 'sources=[emory_emotion]'")
    assert "against the baseline" in " ".join(done.stdout.split())


@pytest.mark.parametrize(("logger", "number"), [("wandb", 3), ("csv", 1)])  # W&B: the study and its two merges
def test_curves_and_trials_are_logged_offline_and_the_key_nowhere(dfwe, logger, number, tmp_path, monkeypatch):
    key = "0123456789abcdef" * 5
    monkeypatch.setenv("WANDB_API_KEY", key)
    page = f"report={logger == 'wandb'}"  # which takes its pictures, too
    done = dfwe("+target=meld", f"logger={logger}", page, *SMALL, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    logged = list((tmp_path / "run").glob("wandb/offline-run-*" if logger == "wandb" else "logs/*/metrics.csv"))
    assert len(logged) == number
    assert key not in done.stdout + done.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and key.encode() in path.read_bytes()]
