"""Tasks with data of their own: where they lie, few shots, bad rows, and whole studies."""

import json

import pytest

from dfwe.config.task_data import shots_by_task
from dfwe.config.task_options import register
from dfwe.config.tasks import load_task
from dfwe.data.few_shot import Shots
from dfwe.errors import ConfigurationError, DataError
from dfwe.predict.command import main as predict
from dfwe.run_study import run_study
from dfwe.studies.plan import plan_study

SMALL = (
    "model=t5_toy",
    "model.pretrain=null",
    "model.source.vocab_size=400",
    "model.source.config={d_model: 16, d_kv: 8, d_ff: 32, num_layers: 1, num_heads: 2}",
    "trainer.train.epochs=1",
    "trainer.finetune.epochs=1",
    "trainer.precision=32-true",
    "trainer.checkpoint=false",
    "trainer.threads=1",
    "merge.search.budget=3",
)


@pytest.fixture
def own(composed, my_conf, my_files, tmp_path):
    """A function from overrides to the configuration of a study on the user's tasks."""
    register([my_conf])

    def configuration(*overrides):
        where = (f"hydra.searchpath=[file://{my_conf}]", f"data.files={my_files}", f"paths.store={tmp_path}/store")
        return composed(*SMALL, *where, *overrides)

    return configuration


ALONE = ("+target=mood", "sources=[taste]", "data=files", "model=t5_toy")


def test_a_users_task_runs_from_the_command_line_alone(run_module, my_conf, my_files, tmp_path, capsys):
    where = [f"data.files={my_files}", f"paths.store={tmp_path}/store", f"hydra.run.dir={tmp_path}/run"]
    done = run_module("dfwe.run", "--config-dir", str(my_conf), *ALONE, *SMALL, *where)
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["n"] == {"train": 10, "dev": 5, "test": 5}
    assert [row["name"] for row in results["models"]][:4] == ["baseline", "mood", "mixture", "taste"]
    mood = results["data"]["tasks"]["mood"]
    assert mood["left_out_on_purpose"] == {"mood is '?'": 2}
    file = tmp_path / "new.jsonl"
    file.write_text('{"id": "n1", "text": "A warm kettle."}\n{"text": "A cold kettle."}\n')
    assert predict(["--model", str(tmp_path / "run" / "merged"), str(file)]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["instance_id"] for line in lines] == ["n1", "new-2"]
    assert {line["prediction"] for line in lines} <= {"good", "bad"}


def test_own_tasks_mix_with_those_of_the_corpus(own, tmp_path):
    generator = ("data.generator.num_train=12", "data.generator.num_dev=8", "data.generator.num_test=8")
    config = own("+target=meld", "sources=[mood,personality]", "data=toy", *generator)
    (tmp_path / "run").mkdir()
    run_study(config, folder=tmp_path / "run")
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    tasks = results["data"]["tasks"]
    assert results["sources"] == ["moods", "personality_detection"]
    assert tasks["meld"]["corpus"] == tasks["personality"]["corpus"] != tasks["mood"]["corpus"]


def test_a_stage_is_named_by_the_data_of_its_tasks_alone(own, my_files):
    before = plan_study(own(*ALONE)).trained
    with (my_files / "taste.jsonl").open("a") as file:
        file.write('{"dish": "one more pie", "taste": "bitter"}\n')
    after = plan_study(own(*ALONE)).trained
    same = {name: before[name].digest == after[name].digest for name in before}
    assert same == {"mood": True, "mixture": False, "taste": False}


def test_a_stage_is_not_named_by_where_the_data_lie(own, my_files, tmp_path):
    before = plan_study(own(*ALONE)).trained["mood"].digest
    (tmp_path / "elsewhere").mkdir()
    (my_files / "mood.csv").rename(tmp_path / "elsewhere" / "mood.csv")
    moved = plan_study(own(*ALONE, f"target.mood.data.root={tmp_path}/elsewhere"))
    assert moved.trained["mood"].digest == before


def test_shots_name_the_stages_of_their_tasks(own):
    def trained(*overrides):
        return {name: stage.digest for name, stage in plan_study(own(*ALONE, *overrides)).trained.items()}

    assert trained("data.shots=all", "data.shots_seed=1") == trained()
    assert trained("data.shots=4")["taste"] != trained()["taste"]
    assert trained("data.shots=4", "data.shots_seed=1")["taste"] != trained("data.shots=4")["taste"]
    assert trained("data.shots={mood: 4}")["mood"] != trained()["mood"]


def test_a_number_of_shots_limits_train_and_dev_of_every_task(own):
    study = plan_study(own(*ALONE, "data.shots=3"))
    sizes = {
        (task.short, split): len(study.family.context.data.instances(task, split=split))
        for task in (study.target, *study.sources)
        for split in ("train", "dev", "test")
    }
    assert sizes == {
        ("mood", "train"): 3,
        ("mood", "dev"): 3,
        ("mood", "test"): 5,
        ("taste", "train"): 3,
        ("taste", "dev"): 3,
        ("taste", "test"): 3,
    }


def test_shots_can_differ_by_task_and_are_all_for_the_others():
    tasks = [load_task("meld"), load_task("personality"), load_task("sst")]
    shots = shots_by_task({"meld": 5, "personality_detection": 0.1}, seed=3, tasks=tasks)
    named = {"MELD_emotion_recognition": Shots(5, seed=3), "personality_detection": Shots(0.1, seed=3)}
    assert shots == {**named, "sst": Shots("all", seed=3)}


def test_bad_rows_are_warned_of_once_and_stand_in_the_data(own, my_files, caplog):
    with (my_files / "mood.csv").open("a") as file:
        file.write("The last kettle.,fine\n")
    study = plan_study(own(*ALONE, "data.max_invalid_fraction=0.1"))
    study.family.context.data.instances(study.target, split="test")
    (record,) = [record for record in caplog.records if "rows left out: " in record.message]
    assert "mood.csv, line 24: unknown label 'fine'" in record.message
    assert len(study.family.context.data.corpus(study.target).row_reports[str(my_files / "mood.csv")].invalid) == 1


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        (
            ["+target=mood", "sources=[meld]", "data=files", "model=t5_toy"],
            ConfigurationError,
            "data=files has no corpus for tasks",
        ),
        ([*ALONE, "data.files=null"], ConfigurationError, "where are the files of mood. Say data.files=FOLDER"),
        ([*ALONE, "data.files=nowhere"], DataError, "nowhere/mood.csv is missing: data.files"),
        ([*ALONE, "data.shots={mod: 3}"], ConfigurationError, "data.shots names 'mod', .* it has mood, taste"),
        ([*ALONE, "data.shots=0.1"], DataError, r"the dev split of .* \(data.shots=0.1 draws these of 5\)"),
        (
            [*ALONE, "target.mood.prompt.context='{txt}'"],
            DataError,
            "no column 'txt', which moods needs: it has 'text'",
        ),
    ],
)
def test_what_cannot_work_is_said_before_any_training(own, overrides, error, message):
    with pytest.raises(error, match=message):
        plan_study(own(*overrides))


def test_too_many_bad_rows_stop_with_the_list(own, my_files):
    with (my_files / "mood.csv").open("a") as file:
        file.write("The last kettle.,fine\nThe very last.\n")
    with pytest.raises(
        DataError, match=r"(?s)mood: more than 1.00% .*max_invalid_fraction.*line 25: 1 field,.*line 24: unkn"
    ):
        plan_study(own(*ALONE))
