"""Training: the best epoch is kept, and a run killed at an epoch goes on bit for bit."""

import errno
from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSeq2SeqLM

from dfwe.errors import MetricError, ModelError, StoreError
from dfwe.families.seq2seq.family import TextToText, collate
from dfwe.families.text.datamodule import text_data
from dfwe.families.text.tokenization import TokenLimits, tokens_in_memory
from dfwe.merging.expert_array import save_weights
from dfwe.records import Evaluation, Instance
from dfwe.training import callbacks
from dfwe.training.fit import FitSettings, fit_expert
from dfwe.training.fresh_first import FreshFirst

SETTINGS = FitSettings(
    epochs=4,
    patience=9,
    stop_on="target",
    accumulate=1,
    gradient_clip=1.0,
    precision="32-true",
    accelerator="cpu",
    checkpoint=True,
)


class Killed(Exception):
    pass


class Scripted:
    """A dev score by epoch; raises where the script says so."""

    def __init__(self, *scores):
        self.scores, self.calls = list(scores), 0

    def __call__(self, model):
        score = self.scores[self.calls]
        self.calls += 1
        if score is None:
            raise Killed
        labels = np.full((1, 2), -float(self.calls), dtype=np.float32)
        return Evaluation(score, {"m": score}, (f"epoch {self.calls}",), np.zeros((1, 1)), labels)


@pytest.fixture
def data(tokenizer, tmp_path):
    instances = [
        Instance(f"i{i}", "d", f"context: {word} " * (i % 3 + 1), " emotion:", (label, "joy"), (label,), ())
        for i, (word, label) in enumerate([("glad", "joy"), ("furious", "anger"), ("is", "fear")] * 6)
    ]
    split = tokens_in_memory(instances, tokenizer=tokenizer, limits=TokenLimits(64, 8))
    return lambda: text_data([split], batch_size=4, group_batches=4, collate=partial(collate, pad_id=0), seed=5)


def train(tiny_t5, data, folder, score, *, seed=7, light_dropout=True, save=save_weights, first=(), **settings):
    folder.mkdir(exist_ok=True)
    torch.manual_seed(99)  # what was drawn before must not matter
    torch.rand(len(list(folder.iterdir())))
    optimizer = partial(torch.optim.Adam, lr=1e-2, fused=True)
    module = TextToText(
        AutoModelForSeq2SeqLM.from_pretrained(tiny_t5), optimizer=optimizer, light_dropout=light_dropout
    )
    return fit_expert(
        module,
        data=data(),
        settings=FitSettings(**{**SETTINGS.__dict__, **settings}),
        target=score,
        own=None,
        seed=seed,
        folder=folder,
        save=save,
        more_callbacks=first,
    )


def test_the_best_epoch_is_kept_with_its_answers(tiny_t5, data, tmp_path):
    best = train(tiny_t5, data, tmp_path / "a", Scripted(0.1, 0.6, 0.2, 0.3))
    short = train(tiny_t5, data, tmp_path / "b", Scripted(0.1, 0.6), epochs=2)
    assert (best.choice.epoch, best.predictions) == (1, ("epoch 2",))
    assert [epoch.target for epoch in best.history] == [0.1, 0.6, 0.2, 0.3]
    for name, tensor in load_file(best.weights).items():
        assert torch.equal(tensor, load_file(short.weights)[name])


def test_the_best_epochs_label_scores_are_kept_by_a_killed_training_too(tiny_t5, data, tmp_path):
    with pytest.raises(Killed):
        train(tiny_t5, data, tmp_path / "a", Scripted(0.1, 0.6, None))
    resumed = train(tiny_t5, data, tmp_path / "a", Scripted(0.3, 0.4))
    np.testing.assert_array_equal(resumed.label_scores, [[-2.0, -2.0]])


def test_without_checkpoints_no_weights_are_hashed(tiny_t5, data, tmp_path, monkeypatch):
    monkeypatch.setattr(callbacks, "file_digest", lambda path: pytest.fail(f"hashed {path}"))
    fitted = train(tiny_t5, data, tmp_path / "a", Scripted(0.1, 0.2), epochs=2, checkpoint=False)
    assert (fitted.choice.epoch, [path.name for path in tmp_path.glob("a/*.ckpt")]) == (1, [])


def test_a_training_without_memory_names_the_settings(tiny_t5, data, tmp_path):
    def score(model):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(ModelError, match=r"set trainer\.batch_size lower and trainer\.accumulate higher"):
        train(tiny_t5, data, tmp_path / "a", score)


def test_training_stops_when_nothing_improves(tiny_t5, data, tmp_path):
    fitted = train(tiny_t5, data, tmp_path / "a", Scripted(0.5, 0.1, 0.1, 0.1), patience=2)
    assert len(fitted.history) == 3


def test_a_killed_training_goes_on_at_its_epoch_bit_for_bit(tiny_t5, data, tmp_path):
    whole = train(tiny_t5, data, tmp_path / "a", Scripted(0.1, 0.2, 0.3, 0.4))
    with pytest.raises(Killed):
        train(tiny_t5, data, tmp_path / "b", Scripted(0.1, 0.2, None))
    resumed = train(tiny_t5, data, tmp_path / "b", Scripted(0.3, 0.4))
    assert resumed.history == whole.history
    assert resumed.seconds_before > 0 == whole.seconds_before
    for name, tensor in load_file(whole.weights).items():
        assert torch.equal(tensor, load_file(resumed.weights)[name]), name


FRESH = frozenset({"decoder.block.1.layer.1.EncDecAttention.q.weight", "decoder.final_layer_norm.weight"})


def fresh_first(*, learning_rate=1e-3):
    return [FreshFirst(FRESH, epochs=2, learning_rate=learning_rate, then=1e-2)]


def changed(tiny_t5, fit):
    """Names of the tensors that a training has changed."""
    before, after = dict(AutoModelForSeq2SeqLM.from_pretrained(tiny_t5).named_parameters()), load_file(fit.weights)
    return {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}


def test_fresh_parameters_are_trained_first(tiny_t5, data, tmp_path):
    frozen = train(tiny_t5, data, tmp_path / "a", Scripted(0.1, 0.2), epochs=2, first=fresh_first())
    whole = train(tiny_t5, data, tmp_path / "b", Scripted(0.1, 0.2, 0.3), epochs=3, first=fresh_first())
    assert changed(tiny_t5, frozen) == FRESH
    assert changed(tiny_t5, whole) == set(load_file(whole.weights))


def test_first_epochs_have_a_learning_rate_of_their_own(tiny_t5, data, tmp_path):
    still = train(tiny_t5, data, tmp_path / "a", Scripted(0.1, 0.2), epochs=2, first=fresh_first(learning_rate=0.0))
    then = train(tiny_t5, data, tmp_path / "b", Scripted(0.1, 0.2, 0.3), epochs=3, first=fresh_first(learning_rate=0.0))
    assert not changed(tiny_t5, still)
    assert changed(tiny_t5, then)


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_a_training_killed_around_the_thaw_goes_on_bit_for_bit(tiny_t5, data, tmp_path, epoch):
    scores = (0.1, 0.2, 0.3, 0.4)
    whole = train(tiny_t5, data, tmp_path / "a", Scripted(*scores), first=fresh_first())
    with pytest.raises(Killed):
        train(tiny_t5, data, tmp_path / "b", Scripted(*scores[:epoch], None), first=fresh_first())
    resumed = train(tiny_t5, data, tmp_path / "b", Scripted(*scores[epoch:]), first=fresh_first())
    assert resumed.history == whole.history
    assert resumed.weights.read_bytes() == whole.weights.read_bytes()


@pytest.mark.parametrize("light", [False, True])
def test_training_drops_out_by_the_seed(tiny_t5, data, tmp_path, light):
    seeds = {"a": 7, "b": 7, "c": 8}
    first, again, other = (
        load_file(
            train(tiny_t5, data, tmp_path / name, Scripted(0.1), epochs=1, seed=seed, light_dropout=light).weights
        )
        for name, seed in seeds.items()
    )
    assert all(torch.equal(tensor, again[name]) for name, tensor in first.items())
    assert not all(torch.equal(tensor, other[name]) for name, tensor in first.items())


def test_a_nan_score_ends_training_with_an_error(tiny_t5, data, tmp_path):
    with pytest.raises(MetricError, match="the dev score is NaN"):
        train(tiny_t5, data, tmp_path / "a", Scripted(float("nan")))


def test_a_training_killed_after_it_decided_to_stop_does_not_go_on(tiny_t5, data, tmp_path):
    whole = train(tiny_t5, data, tmp_path / "a", Scripted(0.5, 0.1, 0.1), patience=2)
    resumed = train(tiny_t5, data, tmp_path / "a", Scripted(), patience=2)
    assert resumed.history == whole.history
    assert resumed.predictions == whole.predictions == ("epoch 1",)


def test_the_last_checkpoints_best_weights_outlive_a_kill_before_the_next_checkpoint(tiny_t5, data, tmp_path):
    whole = train(tiny_t5, data, tmp_path / "a", Scripted(0.1, 0.2, 0.1), epochs=3)

    def killed_when_saved(model, path):
        save_weights(model, path)
        if path.name.endswith("_2.safetensors"):
            raise Killed

    with pytest.raises(Killed):
        train(tiny_t5, data, tmp_path / "b", Scripted(0.1, 0.2), epochs=3, save=killed_when_saved)
    resumed = train(tiny_t5, data, tmp_path / "b", Scripted(0.2, 0.1), epochs=3)
    assert resumed.history == whole.history
    assert resumed.weights.read_bytes() == whole.weights.read_bytes()


def damage(path, how):
    content = bytearray(path.read_bytes())
    if how == "cut":
        del content[len(content) // 2 :]
    else:
        content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize("how", ["cut", "flipped"])
@pytest.mark.parametrize("file", ["last.ckpt", "best_by_target_2.safetensors"])
def test_a_damaged_checkpoint_or_best_weights_start_the_training_again(tiny_t5, data, tmp_path, caplog, file, how):
    whole = train(tiny_t5, data, tmp_path / "a", Scripted(0.1, 0.2, 0.1), epochs=3)
    with pytest.raises(Killed):
        train(tiny_t5, data, tmp_path / "b", Scripted(0.1, 0.2, None), epochs=3)
    damage(tmp_path / "b" / file, how)
    again = train(tiny_t5, data, tmp_path / "b", Scripted(0.1, 0.2, 0.1), epochs=3)
    assert "this training starts again" in caplog.text
    assert again.weights.read_bytes() == whole.weights.read_bytes()


def test_a_checkpoint_that_cannot_be_read_now_is_kept(tiny_t5, data, tmp_path, monkeypatch):
    def refused(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with pytest.raises(Killed):
        train(tiny_t5, data, tmp_path, Scripted(0.1, 0.2, None))
    monkeypatch.setattr("dfwe.training.resume.ZipFile", refused)
    with pytest.raises(StoreError, match="cannot be read: .*Permission denied"):
        train(tiny_t5, data, tmp_path, Scripted(0.3, 0.4))
    monkeypatch.undo()
    assert len(train(tiny_t5, data, tmp_path, Scripted(0.3, 0.4)).history) == 4


def test_a_checkpoint_is_read_where_files_cannot_be_mapped(tiny_t5, data, tmp_path, monkeypatch):
    load = torch.load

    def without_mapping(path, *, mmap=None, **settings):
        if mmap:
            raise RuntimeError("unable to mmap 100 bytes from file: No such device")
        return load(path, **settings)

    with pytest.raises(Killed):
        train(tiny_t5, data, tmp_path, Scripted(0.1, 0.2, None))
    monkeypatch.setattr(torch, "load", without_mapping)
    assert len(train(tiny_t5, data, tmp_path, Scripted(0.3, 0.4)).history) == 4


def test_one_process_takes_nothing_of_slurm(tiny_t5, data, tmp_path, monkeypatch):
    for name, value in {"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "study", "SLURM_JOB_ID": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hpc_ckpt_1.ckpt").write_text("another program's, which SLURM's signal made Lightning write")
    assert len(train(tiny_t5, data, tmp_path / "a", Scripted(0.1, 0.2), epochs=2).history) == 2
