"""A multitask study small enough for a test: a tiny BERT, a few toy sentences, one epoch."""

import pytest

ROWS = "{train: 24, dev: 12, test: 12}"
SMALL = (
    "model.pretrain=null",
    "model.source.vocab_size=300",
    "model.source.config={hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 32, "
    "max_position_embeddings: 128}",
    "model.max_source_tokens=128",
    *(f"data.generator.rows.{task}={ROWS}" for task in ("sentiment", "paraphrase", "similarity", "inference")),
    "data.generator.rows.topic={train: 4, dev: 2, test: 2}",
    "data.generator.rows.overlap={train: 4, dev: 2, test: 2}",
    "trainer.train.epochs=1",
    "trainer.checkpoint=false",
)


@pytest.fixture(scope="session")
def small(composed):
    """A function from a store's folder, an experiment and further overrides to the configuration."""

    def configuration(store, *overrides, experiment="cuts_and_stitches"):
        return composed(f"experiment={experiment}", *SMALL, f"paths.store={store}", *overrides)

    return configuration


@pytest.fixture(scope="session")
def tables(small):
    """The same for the tables of "Cuts and Stitches"; few evaluations and examples."""

    def configuration(store, *overrides):
        few = (
            "multitask.models.snli.fit.epochs=1",
            "multitask.merges.nelder_mead.budget=3",
            "multitask.fisher.examples=4",
            "multitask.candidates=[surgery,surgery_smart,surgery_snli]",
        )
        return small(store, *few, *overrides)

    return configuration


@pytest.fixture(scope="session")
def ran(tables, tmp_path_factory):
    """The run's folder and the configuration of a study that has run."""
    from dfwe.stages.study import run_study

    folder, config = tmp_path_factory.mktemp("run"), tables(tmp_path_factory.mktemp("store"))
    run_study(config, folder=folder)
    return folder, config
