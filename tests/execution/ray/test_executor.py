"""A study on Ray is the study without it, to the bit, also where a worker is killed meanwhile."""

import json
import sys
import threading
import time
from dataclasses import dataclass

import pytest

from dfwe.errors import ConfigurationError, DataError, ExecutorError
from dfwe.execution.ray.executor import RayExecutor
from dfwe.run_study import run_study
from dfwe.stages.base import Stage
from dfwe.studies.plan import plan_study

ON_RAY = ("executor=ray", "executor.workers=2", "executor.cpus=1")


def without_times_and_places(value):
    """The JSON without seconds, and without the folders that generated data lies in."""
    if isinstance(value, dict):
        excluded = ("seconds", "origin", "root")
        return {key: without_times_and_places(item) for key, item in value.items() if key not in excluded}
    return [without_times_and_places(item) for item in value] if isinstance(value, list) else value


def outcome(folder):
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
            for worker in (worker for raylet in raylets for worker in raylet.children()):
                if worker.cmdline()[:1] == ["ray::make_stage"]:
                    worker.kill()
                    killed.append(worker.pid)
                    return
            time.sleep(0.02)

    threading.Thread(target=kill, daemon=True).start()


def test_ray_with_a_killed_worker_equals_local(on_ray, ran, small, tmp_path):
    kill_the_first_that_makes(killed := [])
    run_study(small(tmp_path / "store", *ON_RAY), folder=tmp_path)
    assert outcome(tmp_path) == outcome(ran[0])
    assert len(killed) == 1
    weights = [weights_in(store) for store in (ran[1], tmp_path / "store")]
    assert weights[0].items() >= weights[1].items()
    assert len(weights[1]) == 9  # other tests may have trained more in the first


def weights_in(store):
    """Every expert's file of weights by its stage."""
    return {path.parent.name: path.read_bytes() for path in store.glob("train-*/weights.safetensors")}


def test_ray_executor_without_ray_names_the_package(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"executor=ray needs Ray: pip install 'dfwe\[ray\]'"):
        RayExecutor(None, None, None, None, 2)


def test_ray_executor_on_cpus_refuses_gpus(small, tmp_path):
    with pytest.raises(ConfigurationError, match=r"executor\.gpus=1, but this process computes on CPUs"):
        run_study(small(tmp_path / "store", *ON_RAY, "executor.gpus=1", "trainer.accelerator=cpu"), folder=tmp_path)


def test_several_devices_are_refused(small, tmp_path):
    with pytest.raises(ConfigurationError, match="executor=ray trains each model in one process: set trainer.devices"):
        run_study(small(tmp_path / "store", *ON_RAY, "trainer.devices=2"), folder=tmp_path)


def test_worker_that_does_not_see_the_store_raises(tmp_path):
    from dfwe.execution.ray.worker import WorkerConfig

    config = WorkerConfig(str(tmp_path), str(tmp_path / "probe"), 1, 1, {"num_gpus": 0}, 0)
    with pytest.raises(ExecutorError, match=r"does not see .*probe: paths\.store must be a folder that all machines"):
        config.apply()


@dataclass(frozen=True)
class Step(Stage):
    """A stage that a worker makes, with a fault: an error, or the death of its process."""

    kind = "step"
    name: str
    fault: str = ""
    needs: tuple[Stage, ...] = ()

    @property
    def title(self):
        return self.name

    def spec(self):
        return {"name": self.name, "needs": [stage.digest for stage in self.needs]}

    def make(self, folder, *, tell):
        import os

        from dfwe.errors import DataError

        if self.fault == "dies":
            os._exit(1)
        if self.fault == "fails":
            raise DataError("row 3 of moods.csv has no label")
        return {"name": self.name}, ()


@pytest.fixture
def make(on_ray, small, tmp_path):
    """A function that makes stages on two workers; returns those that began, and the seconds by title."""
    from ray import cloudpickle

    config = small(tmp_path / "store")
    family = plan_study(config).family

    def run(*stages):
        begun = []
        cloudpickle.register_pickle_by_value(sys.modules[__name__])  # Ray's processes cannot import tests
        try:
            with RayExecutor(None, 2, 1, 0, 1).opened(config, family=family) as execute:
                return begun, execute([("step", stage) for stage in stages], start=starts(begun))
        finally:
            cloudpickle.unregister_pickle_by_value(sys.modules[__name__])

    return run


def starts(begun):
    def start(number, total, title):
        begun.append((number, total, title))
        return lambda share: None

    return start


def test_ray_makes_stages_after_those_they_need(make):
    a = Step("a")
    b, c = Step("b", needs=(a,)), Step("c", needs=(a,))
    begun, seconds = make(a, b, c, Step("d", needs=(b, c)))
    assert list(seconds) in (["a", "b", "c", "d"], ["a", "c", "b", "d"])
    assert [number for number, _, _ in begun] == [1, 2, 3, 4]
    assert (begun[0][2], begun[3][2]) == ("a", "d")


def test_ray_does_not_repeat_cached_stages(make):
    a = Step("a")
    make(a)
    begun, seconds = make(a, Step("b", needs=(a,)))
    assert (list(seconds), len(begun)) == (["b"], 2)


def test_ray_raises_the_error_of_a_stage_unchanged(make):
    with pytest.raises(DataError, match=r"^row 3 of moods\.csv has no label$") as caught:
        make(a := Step("a", fault="fails"), Step("b", needs=(a,)))
    assert type(caught.value) is DataError


def test_ray_with_a_worker_lost_too_often_raises(make):
    with pytest.raises(ExecutorError, match=r"^a: its worker was lost once more than executor\.retries allows"):
        make(Step("a", fault="dies"))
