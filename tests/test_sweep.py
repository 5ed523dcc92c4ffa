"""Sweeps as a user runs them: planned first, then run, with a table at the end."""

import pytest

SMALL = [
    "model.pretrain=null",
    "model.source.vocab_size=400",
    "model.source.config={d_model: 16, d_kv: 8, d_ff: 32, num_layers: 1, num_heads: 2}",
    "model.max_source_tokens=512",
    "data.generator.num_train=10",
    "data.generator.num_dev=6",
    "data.generator.num_test=6",
    "trainer.train.epochs=1",
    "trainer.finetune.epochs=1",
    "trainer.threads=1",
    "merge.search.budget=2",
    "export=false",
    "baselines=[]",
    "diagnostics=[]",
]


@pytest.fixture
def dfwe(run_module):
    """A function that runs the command on small studies, with its store and its runs in a folder."""

    def run(*arguments, folder):
        where = [f"paths.store={folder}/store", f"hydra.run.dir={folder}/run", f"hydra.sweep.dir={folder}/sweep"]
        done = run_module("dfwe.run", *arguments, *SMALL, *where)
        done.words = " ".join(done.stdout.replace("│", " ").split())
        return done

    return run


def test_a_plan_alone_trains_nothing_and_exits_with_0(dfwe, tmp_path):
    done = dfwe("-m", "+target=meld", "+sweep=source_triples", "plan_only=true", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Plan of 20 studies" in done.words
    assert "experts 55 0 55 unknown unknown unknown 220" in done.words
    assert "merges 40 0 40 unknown unknown unknown 40" in done.words
    assert not list((tmp_path / "store").glob("train-*"))
    assert not (tmp_path / "sweep").exists()


def test_a_single_study_has_a_plan_too(dfwe, tmp_path):
    done = dfwe("+target=meld", "plan_only=true", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Plan of 1 study" in done.words
    assert "experts 11 0 11 unknown unknown unknown 11" in done.words
    assert not list((tmp_path / "store").glob("train-*"))


def test_a_plan_with_a_job_that_cannot_run_exits_with_2(dfwe, tmp_path):
    done = dfwe("-m", "+target=meld", "subset.number=0,1", "plan_only=true", folder=tmp_path)
    assert done.returncode == 2
    assert "job 1 is not planned: subset.number must be 0 to 0, as 3 sources have 1 subsets of 3, not 1" in done.words


def test_a_sweep_ends_with_its_tables_and_its_repetition_has_nothing_to_do(dfwe, tmp_path):
    sweep = ["-m", "+sweep=[source_triples,all_targets]", "+target=meld,personality", "subset.size=1"]
    sweep.append("subset.number=0,1")
    done = dfwe(*sweep, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "sets of sources with nelder_mead, the best on dev first" in done.words
    assert "Table 2 of the paper with nelder_mead" in done.words
    assert "comparison.html" in done.words
    assert (tmp_path / "sweep" / "comparison.html").is_file()  # though the jobs have no pages
    assert not list((tmp_path / "sweep").glob("*/report.html"))
    again = dfwe(*sweep, "plan_only=true", folder=tmp_path)
    assert "experts 22 22 0" in again.words
    assert "Everything is in the store" in again.words
