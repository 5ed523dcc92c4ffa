"""A study small enough for a test: a tiny T5, a few dialogues, one epoch."""

import pytest

SMALL = (
    "sources=[emory_emotion,personality]",
    "model.pretrain=null",
    "model.source.vocab_size=400",
    "model.source.config={d_model: 16, d_kv: 8, d_ff: 32, num_layers: 1, num_heads: 2}",
    "trainer.train.epochs=2",
    "trainer.finetune.epochs=2",
    "trainer.precision=32-true",
    "trainer.checkpoint=false",
    "trainer.threads=1",
    "merge.search.budget=4",
    "controls=[]",
    "probes=[]",
)

FEW_DIALOGUES = ("data.generator.num_train=12", "data.generator.num_dev=8", "data.generator.num_test=8")


@pytest.fixture(scope="session")
def small_overrides():
    """What makes a study small, its target and store aside."""
    return (*SMALL, *FEW_DIALOGUES)


@pytest.fixture(scope="session")
def small(composed):
    """A function from a store's folder and further overrides to the configuration."""

    def configuration(store, *overrides):
        data = () if "data=friends" in overrides else FEW_DIALOGUES
        target = () if any(each.startswith("+target=") for each in overrides) else ("+target=meld",)
        return composed(*target, *SMALL, *data, f"paths.store={store}", *overrides)

    return configuration


@pytest.fixture(scope="session")
def ran(small, tmp_path_factory):
    """The run's folder, the store, and the configuration of a small study that has run."""
    from dfwe.stages.study import run_study

    folder, store = tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("store")
    config = small(store)
    run_study(config, folder=folder)
    return folder, store, config
