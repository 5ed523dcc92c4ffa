"""A study on Ray is the study without it, to the bit, also where a worker is killed meanwhile."""

import json
import threading
import time

import pytest

from dfwe.errors import ConfigurationError, ExecutorError
from dfwe.execution.ray.executor import RayExecutor
from dfwe.run_study import run_study

ON_RAY = ("executor=ray", "executor.workers=2", "executor.cpus=1")


def without_times_and_places(found):
    """The JSON without seconds, and without the folders that generated data lies in."""
    if isinstance(found, dict):
        left_out = ("seconds", "origin", "root")
        return {key: without_times_and_places(each) for key, each in found.items() if key not in left_out}
    return [without_times_and_places(each) for each in found] if isinstance(found, list) else found


def told(folder):
    """The results, and every trial."""
    results = json.loads((folder / "results.json").read_text())
    trials = [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()]
    return without_times_and_places([results, trials, (folder / "predictions.jsonl").read_text()])


def kill_the_first_that_makes(killed):
    """Kills a worker as soon as one makes a stage."""
    import psutil

    def kill():
        raylets = [each for each in psutil.Process().children() if each.name() == "raylet"]
        while not killed:
            for each in (worker for raylet in raylets for worker in raylet.children()):
                if each.cmdline()[:1] == ["ray::Worker.make"]:
                    each.kill()
                    killed.append(each.pid)
                    return
            time.sleep(0.02)

    threading.Thread(target=kill, daemon=True).start()


def test_a_study_on_ray_gives_the_local_results_although_a_worker_is_killed(on_ray, ran, small, tmp_path, caplog):
    kill_the_first_that_makes(killed := [])
    run_study(small(tmp_path / "store", *ON_RAY), folder=tmp_path)
    assert told(tmp_path) == told(ran[0])
    assert len(killed) == caplog.text.count("its worker was lost; it is begun again") == 1
    weights = [weights_in(store) for store in (ran[1], tmp_path / "store")]
    assert weights[0].items() >= weights[1].items()
    assert len(weights[1]) == 9  # other tests may have trained more in the first


def weights_in(store):
    """Every expert's file of weights by its stage."""
    return {path.parent.name: path.read_bytes() for path in store.glob("train-*/weights.safetensors")}


def test_without_ray_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"executor=ray needs Ray: pip install 'dfwe\[ray\]'"):
        RayExecutor(None, None, None, None, 2)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [((0, 1, 0, 2), r"executor\.workers must be at least 1, not 0"), ((1, 1, 0, -1), r"executor\.retries must be")],
)
def test_numbers_that_are_too_low_are_refused(numbers, message):
    with pytest.raises(ConfigurationError, match=message):
        RayExecutor(None, *numbers)


def test_gpus_for_a_study_that_computes_on_cpus_are_refused(small, tmp_path):
    with pytest.raises(ConfigurationError, match=r"executor\.gpus=1, but this process computes on CPUs"):
        run_study(small(tmp_path / "store", *ON_RAY, "executor.gpus=1", "trainer.accelerator=cpu"), folder=tmp_path)


def test_a_store_that_a_worker_does_not_see_is_said(tmp_path):
    from dfwe.execution.ray.worker import Terms, Worker

    terms = Terms({}, str(tmp_path), str(tmp_path / "probe"), 1, 1)
    with pytest.raises(ExecutorError, match=r"does not see .*probe: paths\.store must be a folder that all machines"):
        Worker().plan(terms)
