"""Processes that work on one study: weights and scores as of one, each result once, no hang where one is killed."""

import json
import os
import pickle
import signal
import sys
import time
import traceback
from functools import partial

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSeq2SeqLM, BertConfig, BertModel

from dfwe.errors import ConfigurationError
from dfwe.execution import ranks as execution_ranks
from dfwe.execution.launched import as_one_command
from dfwe.execution.ranks import opened_ranks
from dfwe.families.encoder.data import SentenceSplit
from dfwe.families.encoder.datamodule import sentence_data
from dfwe.families.encoder.gradient_surgery import Surgery
from dfwe.families.encoder.lightning_module import MultiTask
from dfwe.families.multi_head.heads.classification import Classification
from dfwe.families.multi_head.heads.regression import Regression
from dfwe.families.multi_head.model import MultiHead
from dfwe.families.scorer import SplitScorer
from dfwe.families.seq2seq.family import TextToText, collate
from dfwe.families.seq2seq.inference.asking import Seq2SeqInference
from dfwe.families.text.datamodule import text_data
from dfwe.families.text.decoding import Decoding
from dfwe.families.text.reader import TextReader
from dfwe.families.text.tokenization import TokenLimits, tokens_in_memory
from dfwe.merging.expert_array import save_weights
from dfwe.metrics.classification import Accuracy
from dfwe.metrics.scorer import Scorer
from dfwe.records import Evaluation, Instance
from dfwe.run_study import run_study
from dfwe.studies.plan import plan_study
from dfwe.training.fit import FitSettings, _placement, fit_expert
from dfwe.training.ranks import LocalProcesses, connect, free_port, num_ranks

LABELS = ("joy", "anger", "fear")
SETTINGS = {"epochs": 3, "patience": 9, "stop_on": "target", "accumulate": 1, "gradient_clip": 1.0}
SETTINGS |= {"precision": "32-true", "accelerator": "cpu", "checkpoint": True}
STUDY = (
    *("+target=meld", "sources=[emory_emotion]", "model.pretrain=null", "model.source.vocab_size=400"),
    "model.source.config={d_model: 16, d_kv: 8, d_ff: 32, num_layers: 1, num_heads: 2, dropout_rate: 0.0}",
    *("data.generator.num_train=12", "data.generator.num_dev=8", "data.generator.num_test=8"),
    *("trainer.train.epochs=1", "trainer.precision=32-true", "trainer.threads=1", "report=false"),
    *(
        "merge/search=cma",
        "merge.search.budget=4",
        "merge.search.batch_size=2",
        "stages.skip=[finetune,baseline,evaluate]",
    ),
)


class Forked:
    """Processes forked from this one, with what they return."""

    def __init__(self, folder, work, *, size=2):
        self.files = [folder / f"returned_{rank}" for rank in range(size)]
        self.processes = [self._start(rank, work) for rank in range(size)]

    def _start(self, rank, work):
        process = os.fork()
        if process:
            return process
        try:
            self.files[rank].write_bytes(pickle.dumps(work(rank)))
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
        os._exit(0)

    def codes(self, *, seconds=120):
        """The exit codes; a process that runs longer is killed."""
        codes, end = {}, time.monotonic() + seconds
        while len(codes) < len(self.processes):
            for process in self.processes:
                if process not in codes and (ended := os.waitpid(process, os.WNOHANG))[0]:
                    codes[process] = os.waitstatus_to_exitcode(ended[1])
                elif process not in codes and time.monotonic() > end:
                    os.kill(process, signal.SIGKILL)
            time.sleep(0.01)
        return [codes[process] for process in self.processes]

    def results(self):
        assert self.codes() == [0] * len(self.files)
        return [pickle.loads(file.read_bytes()) for file in self.files]


def together(folder, work, *, size=2):
    """What each of several connected processes returned."""
    port = free_port()
    return Forked(folder, lambda rank: work(connect(LocalProcesses(rank=rank, size=size, port=port))), size=size)


def dev_score(model, *, kill_after=None, calls=None):
    """Score every epoch alike, so that the last is kept."""
    if kill_after is not None:
        calls.append(model)
        if len(calls) == kill_after:
            os.kill(os.getpid(), signal.SIGKILL)
    return Evaluation(0.5, {}, ("x",), np.zeros((1, 1)))


def fit(module, data, folder, *, ranks=None, score=dev_score, **changes):
    settings = FitSettings(**SETTINGS | changes, devices=1 if ranks is None else ranks.size)
    folder.mkdir(exist_ok=True)
    options = {"seed": 7, "folder": folder, "save": save_weights, "ranks": ranks}
    return load_file(fit_expert(module, data=data, settings=settings, target=score, own=None, **options).weights)


def instances(number):
    words = [("glad", "joy"), ("furious that it is so", "anger"), ("is", "fear and no joy")]
    return [
        Instance(
            f"i{i}", "d", f"context: {words[i % 3][0]} " * (i % 4 + 1), " emotion:", (words[i % 3][1],), ("joy",), ()
        )
        for i in range(number)
    ]


def train_text(tiny_t5, tokenizer, folder, *, ranks=None, dropout=0.0, model=None, **changes):
    """Train a T5 on batches of 4, whose last is of 1; with several answers' lengths in each."""
    split = tokens_in_memory(instances(13), tokenizer=tokenizer, limits=TokenLimits(64, 8))
    data = text_data([split], batch_size=4, group_batches=1, collate=partial(collate, pad_id=0), seed=5)
    model = model or AutoModelForSeq2SeqLM.from_pretrained(tiny_t5, dropout_rate=dropout)
    optimizer = partial(torch.optim.Adam, lr=1e-2)
    return fit(TextToText(model, optimizer=optimizer, light_dropout=True), data, folder, ranks=ranks, **changes)


def assert_close(weights, others):
    assert weights.keys() == others.keys()
    for name, tensor in weights.items():
        torch.testing.assert_close(tensor, others[name], atol=1e-4, rtol=0)


@pytest.mark.parametrize("accumulate", [1, 3])
def test_two_processes_train_to_the_weights_of_one(tiny_t5, tokenizer, tmp_path, accumulate):
    train = partial(train_text, tiny_t5, tokenizer, accumulate=accumulate)
    first, second = together(tmp_path, lambda ranks: train(tmp_path / "two", ranks=ranks)).results()
    one = train(tmp_path / "one")
    assert_close(first, one)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == sorted(
        path.name for path in (tmp_path / "one").iterdir()
    )


def test_two_processes_train_a_pair_with_a_pooler(bert_pair, tokenizer, tmp_path):
    pair = bert_pair(len(tokenizer), lambda **shape: BertConfig(**shape | {"max_position_embeddings": 64}))
    pair.config.decoder_start_token_id, pair.config.pad_token_id = 2, 0
    train = partial(train_text, None, tokenizer, tmp_path / "pair", model=pair)
    first, second = together(tmp_path, lambda ranks: train(ranks=ranks)).results()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_killed_process_ends_all_and_training_resumes(tiny_t5, tokenizer, tmp_path):
    train = partial(train_text, tiny_t5, tokenizer, dropout=0.1)
    whole = together(tmp_path, lambda ranks: train(tmp_path / "a", ranks=ranks)).results()[0]

    def killed(ranks):
        score = partial(dev_score, kill_after=3 if ranks.rank else None, calls=[])
        train(tmp_path / "b", ranks=ranks, score=score)

    assert together(tmp_path, killed).codes(seconds=60) == [1, -9]
    assert (tmp_path / "b" / "last.ckpt").exists()
    resumed = together(tmp_path, lambda ranks: train(tmp_path / "b", ranks=ranks)).results()[0]
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def sentences(task, *, number, columns, seed):
    generator = np.random.default_rng(seed)
    tokens = tuple(
        tuple([int(id) for id in generator.integers(1, 30, generator.integers(2, 8))] for _ in range(columns))
        for _ in range(number)
    )
    gold = generator.integers(3, size=number).astype(np.float64)
    return SentenceSplit(task, tuple(instances(number)), tokens, gold, pad_id=0)


def train_heads(folder, *, ranks=None, surgery=None):
    """Train an encoder with two heads on both tasks a step."""
    torch.manual_seed(1)
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
    drops = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    encoder = BertModel(BertConfig(vocab_size=30, max_position_embeddings=8, **shape, **drops))
    mood = Classification(("text",), "pooler", 0.0).build(width=16, labels=("good", "bad", "so-so"))
    likeness = Regression(("one", "other"), "mean", 0.0, hidden=8).build(width=16, labels=())
    module = MultiTask(
        MultiHead(encoder, heads={"mood": mood, "likeness": likeness}),
        optimizer=partial(torch.optim.SGD, lr=0.1),
        **{"gradient_clip": 1.0, "surgery": surgery, "smart": None, "light_dropout": False},
        weights={"mood": 0.5, "likeness": 2.0},
    )
    splits = [sentences("mood", number=9, columns=1, seed=1), sentences("likeness", number=7, columns=2, seed=2)]
    options = {"batch_size": 3, "group_batches": 1, "joint_epoch": "longest", "seed": 3}
    schedule = "proportional" if surgery is None else "joint"
    data = sentence_data(splits, schedule=schedule, **options)
    return fit(module, data, folder, ranks=ranks, gradient_clip=None)


@pytest.mark.parametrize("surgery", [None, Surgery("parameter", 3)])
def test_two_processes_train_heads_as_one(tmp_path, surgery):
    first, _ = together(tmp_path, lambda ranks: train_heads(tmp_path / "two", ranks=ranks, surgery=surgery)).results()
    assert_close(first, train_heads(tmp_path / "one", surgery=surgery))


class Crowded(TextReader):
    """A reader for whom a batch of more than one is too much."""

    def answers(self, model, batch):
        if len(batch.members) > 1:
            raise torch.OutOfMemoryError
        return super().answers(model, batch)


def scorer(tokenizer, *, is_crowded=False):
    questions = [
        Instance(f"i{i}", "d", "context: " + "glad " * (i % 4), " emotion:", ("joy",), (LABELS[i % 3],), LABELS)
        for i in range(13)
    ]
    split = tokens_in_memory(questions, tokenizer=tokenizer, limits=TokenLimits(64, 8))
    decoding = Decoding(decode="labels", max_new_tokens=4, max_tokens=48, text_tokens=48)
    kind = Crowded if is_crowded else TextReader
    reader = kind(split, decoding=decoding, tokenizer=tokenizer, inference=Seq2SeqInference())
    return SplitScorer(reader, scorer=Scorer(metrics={"acc": Accuracy(labels=list(LABELS))}))


@pytest.mark.parametrize("is_crowded", [False, True])
def test_rows_are_scored_together_as_by_one(model, tokenizer, tmp_path, is_crowded):
    alone = scorer(tokenizer)
    full, better = alone(model), alone.evaluate(tuple(LABELS[i % 3] for i in range(13)))
    pruned = alone.score_pruned(model, best=better)
    assert None in pruned.predictions

    def score(ranks):
        shared = scorer(tokenizer, is_crowded=is_crowded and ranks.rank == 1)
        with shared.split_over(ranks):
            return shared(model), shared.score_pruned(model, best=better), shared(model)

    for evaluation, stopped, again in together(tmp_path, score, size=3).results():
        assert evaluation.predictions == again.predictions == full.predictions
        np.testing.assert_array_equal(evaluation.counts, full.counts)
        assert (stopped.predictions == pruned.predictions) or is_crowded  # halves are stopped at earlier
        assert stopped.bound < better.score


def journal(run):
    """Trials and answers without times."""
    rows = [json.loads(line) for line in (run / "trials.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def study(composed, folder, *overrides, run="run"):
    (folder / run).mkdir(exist_ok=True, parents=True)
    run_study(composed(*STUDY, *overrides, f"paths.store={folder / 'store'}"), folder=folder / run)


def stored(folder):
    return sorted(path.name.split("-")[0] for path in (folder / "store").glob("*-*"))


def test_processes_of_torchrun_are_one_study(composed, tmp_path, monkeypatch, capfd):
    study(composed, tmp_path / "one")
    capfd.readouterr()
    for name, value in {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")

    def launched(rank):
        os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "GROUP_RANK": "0"}
        return as_one_command(lambda: study(composed, tmp_path / "two", "trainer.devices=auto") or 7)

    assert Forked(tmp_path, launched).results() == [7, 0]
    assert capfd.readouterr().out.count("results: ") == 1
    assert stored(tmp_path / "two") == stored(tmp_path / "one")
    one, two = (json.loads((tmp_path / name / "run" / "results.json").read_text()) for name in ("one", "two"))
    assert [row["dev"] for row in two["models"]] == [row["dev"] for row in one["models"]]
    assert journal(tmp_path / "two" / "run") == journal(tmp_path / "one" / "run")


def test_a_command_starts_its_processes_and_goes_on_after_a_kill(composed, tmp_path, monkeypatch):
    def start(is_killed):
        def command(rank):
            if is_killed:
                _kill_the_worker_at_the_first_checkpoint(tmp_path)
            study(composed, tmp_path, "trainer.devices=2", "trainer.train.epochs=2", "stages.until=train")

        return Forked(tmp_path, command, size=1)

    assert start(is_killed=True).codes() == [1]
    assert list((tmp_path / "store").glob("train-*.partial/last.ckpt"))
    assert start(is_killed=False).codes() == [0]


def _kill_the_worker_at_the_first_checkpoint(folder):
    """Watch for it in a thread."""
    import subprocess
    import threading

    workers = []
    start = subprocess.Popen
    execution_ranks.subprocess.Popen = lambda *args, **options: workers.append(start(*args, **options)) or workers[-1]

    def kill():
        while not list((folder / "store").glob("train-*.partial/last.ckpt")):
            time.sleep(0.005)
        workers[0].kill()

    threading.Thread(target=kill, daemon=True).start()


@pytest.mark.parametrize(
    ("trainer", "message"),
    [
        ({"num_nodes": 2}, "need processes on several machines: start the command by torchrun or srun"),
        ({"devices": [0, 1]}, r"trainer.devices=\[0, 1\] names GPUs, but the study computes on CPUs"),
    ],
)
def test_processes_that_cannot_be_are_refused(trainer, message):
    trainer = {"devices": 1, "num_nodes": 1, "accelerator": "cpu"} | trainer
    with pytest.raises(ConfigurationError, match=message), opened_ranks(trainer):
        pass


def test_the_only_listed_gpu_is_the_one_that_computes(monkeypatch):
    current = []
    monkeypatch.setattr("dfwe.training.ranks.resolve_device", lambda accelerator: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    with opened_ranks({"devices": [3], "num_nodes": 1, "accelerator": "gpu"}) as ranks:
        placement = _placement(FitSettings(**SETTINGS, devices=[3]), module=pl.LightningModule(), ranks=ranks)
    assert (current, placement["devices"]) == ([3], [3])


def test_another_number_than_was_started_is_refused(monkeypatch):
    for name, value in {"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "3", "RANK": "0", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    trainer = {"devices": 2, "num_nodes": 1, "accelerator": "cpu"}
    with pytest.raises(ConfigurationError, match="are 2 processes, but 3 were started"), opened_ranks(trainer):
        pass


def test_srun_without_tasks_per_node_is_refused(monkeypatch):
    for name, value in {"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "study", "SLURM_STEP_NUM_TASKS": "4"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match="do not go together: .*--ntasks-per-node"):
        num_ranks({"devices": "auto", "num_nodes": 1, "accelerator": "cpu"})


def test_a_number_of_processes_is_of_all_machines():
    trainer = {"devices": 4, "num_nodes": 2, "accelerator": "cpu"}
    assert num_ranks(trainer) == 8
    assert num_ranks(trainer | {"devices": "auto", "num_nodes": 1}) == 1


def test_only_several_processes_are_in_a_trainings_spec(composed, tmp_path):
    store = f"paths.store={tmp_path}"
    one, two = (plan_study(composed(*STUDY, *more, store)).trained["meld"] for more in ((), ("trainer.devices=2",)))
    assert "processes" not in one.spec()
    assert two.spec() == {**one.spec(), "processes": 2}
