"""Every configuration file is sound: its classes take its arguments."""

from inspect import signature

import numpy as np
import pytest
from hydra.utils import get_object, instantiate
from omegaconf import OmegaConf

from dfwe.conf import conf_dir
from dfwe.config.instantiate import plain
from dfwe.config.merges import search_space
from dfwe.config.task_options import read_tasks
from dfwe.config.tasks import build_task
from dfwe.data.readers.base import Reader
from dfwe.data.synthetic.sentences.tasks import ToyMultitask
from dfwe.records import Evaluation, Trial
from dfwe.search.space import Space
from dfwe.studies.source_selection.stage import SelectionPolicy

SPACE = Space(("a", "b", "c"))


def options(group):
    return sorted(path.stem for path in (conf_dir() / group).glob("*.yaml"))


@pytest.mark.parametrize("merge", sorted({*options("merge")} - {"base"}))  # base: what they share
def test_every_merge_is_bound(composed, merge):
    config = composed("+target=meld", f"merge={merge}").merge
    method = instantiate(config.method, _convert_="all")
    search_space(config, method=method, experts=("a", "b"), groups=("",))
    instantiate(config.by, _convert_="all")
    instantiate(config.selection, _convert_="all")
    made_search(config.search).close()


@pytest.mark.parametrize("search", options("merge/search"))
def test_every_search_is_bound(composed, search):
    made = made_search(composed("+target=meld", "merge=linear", f"merge/search={search}").merge.search)
    right = Evaluation(0.5, {}, (), np.zeros((0, 0)))
    made.initialize([Trial(0, "expert", SPACE.vertex(name), right) for name in SPACE.experts])
    assert made.ask().shape == (3,)
    made.close()


def made_search(config):
    return instantiate(plain(config), _partial_=True, _convert_="all")(space=SPACE, seed=0)


@pytest.mark.parametrize("choice", options("source_selection"))
def test_every_criterion_of_choice_is_bound(composed, choice):
    rule = SelectionPolicy.of(composed("+target=meld", f"source_selection={choice}"))
    assert list(rule.criteria) == [choice]


@pytest.mark.parametrize("model", options("model"))
def test_every_model_is_bound_and_has_its_trainer(composed, model):
    source = ["model.source.name=FOLDER"] if model in ("causal_lm", "classifier", "seq2seq") else []  # of any model
    config = composed("+target=meld", f"model={model}", *source)
    instantiate(config.model.source, _convert_="all")
    assert config.model.name == model
    assert config.trainer.train.epochs > 0


@pytest.mark.parametrize("trainer", options("trainer"))
def test_every_trainers_optimizer_is_bound(composed, trainer):
    import torch

    config = composed("+target=meld", f"trainer={trainer}").trainer
    optimizer = instantiate(config.optimizer, lr=0.1, _convert_="all")([torch.nn.Parameter(torch.zeros(1))])
    assert optimizer.param_groups[0]["lr"] == 0.1


@pytest.mark.parametrize("task", sorted(read_tasks()))
def test_every_task_is_bound(task):
    assert build_task(task, config=read_tasks()[task]).short == task


@pytest.mark.parametrize("task", sorted(name for name, config in read_tasks().items() if config.head is not None))
def test_every_tasks_head_is_bound_and_fits_its_labels(task):
    config = read_tasks()[task]
    head = instantiate(config.head, _convert_="all").build(width=8, labels=list(config.labels))
    assert head.num_sentences == len(config.head.columns)


@pytest.mark.parametrize("task", sorted(name for name, config in read_tasks().items() if config.data is not None))
def test_every_reader_of_a_tasks_own_data_is_bound(task):
    assert isinstance(instantiate(read_tasks()[task].data.reader, root="somewhere", _convert_="all"), Reader)


@pytest.mark.parametrize("logger", options("logger"))
def test_every_logger_takes_its_arguments(composed, logger):
    config = composed("+target=meld", f"logger={logger}").logger
    arguments = {} if config is None else OmegaConf.to_container(config)  # in which hydra's folder is not known
    assert (logger == "none") == (not arguments)
    if arguments:
        signature(get_object(arguments.pop("_target_"))).bind(**arguments)


@pytest.mark.parametrize("data", ["friends", "toy"])
def test_every_corpus_composes(composed, data):
    reader = composed("+target=meld", f"data={data}", "data.root=somewhere").data.reader
    assert isinstance(instantiate(reader, root="somewhere"), Reader)


def test_files_are_no_corpus_of_the_studys_own(composed):
    assert composed("+target=meld", "data=files").data.reader is None


def test_the_toy_sentences_are_generated_and_read_by_their_tasks(composed):
    config = composed("+target=toy_sentiment", "data=toy_multitask").data
    assert isinstance(instantiate(config.generator, _convert_="all"), ToyMultitask)
    assert (config.root, config.reader, config.files) == (None, None, None)
