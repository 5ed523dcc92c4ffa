import pytest
import torch
from torch._inductor import cpp_builder, exc

from dfwe.errors import ConfigurationError
from dfwe.families.seq2seq.fast import compiled
from dfwe.families.seq2seq.fast.compiled import CompiledEncode, Compiling


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.calls = []

    def get_encoder(self):
        return self

    def forward(self, input_ids, attention_mask):
        self.calls.append("own")
        return type("Output", (), {"last_hidden_state": input_ids.float()[..., None]})()


def read(encode, model):
    ids = torch.ones(1, 3, dtype=torch.int64)
    return encode(model, input_ids=ids, attention_mask=ids)


@pytest.fixture
def compilations(monkeypatch):
    made = []
    monkeypatch.setattr(compiled.torch, "compile", lambda encoder, dynamic: made.append(encoder) or encoder)
    return made


def test_compiling_pays_when_it_saves_more_than_it_costs():
    auto = Compiling(when="auto", seconds=60.0, gain=1.25)
    assert auto.pays(seconds=10.0, times=31)  # saves a fifth of 310 s
    assert not auto.pays(seconds=10.0, times=30)
    assert Compiling(when="always", seconds=60.0, gain=1.25).pays(seconds=0.0, times=0)
    assert not Compiling(when="never", seconds=0.0, gain=9.0).pays(seconds=10.0, times=99)


def test_a_gain_that_is_none_is_an_error():
    with pytest.raises(ConfigurationError, match="trainer.compile.gain must be above 0"):
        Compiling(when="auto", seconds=1.0, gain=0.0)


def test_a_bfloat16_encoder_is_compiled_once_from_the_moment_it_pays(compilations):
    encode, model = CompiledEncode(Compiling(when="auto", seconds=60.0, gain=1.25)), Model().bfloat16()
    read(encode, model)
    assert not compilations
    encode.tell(100.0, left=39)
    read(encode, model)
    assert read(encode, model).shape == (1, 3, 1)
    assert compilations == [model]


@pytest.mark.parametrize(("compiled_seconds", "goes_on"), [(90.0, True), (100.0, False)])
def test_it_goes_back_when_compiled_evaluations_are_not_faster(compilations, compiled_seconds, goes_on):
    encode = CompiledEncode(Compiling(when="auto", seconds=60.0, gain=1.25))
    for number, seconds in enumerate((100.0, 170.0, compiled_seconds), 1):
        encode.tell(seconds, left=40 - number)
    read(encode, Model().bfloat16())
    assert bool(compilations) == goes_on


def test_float32_on_a_cpu_is_never_compiled(compilations):
    encode, model = CompiledEncode(Compiling(when="always", seconds=0.0, gain=2.0)), Model()
    encode.tell(1.0, left=1)
    read(encode, model)
    assert not compilations


def test_without_a_compiler_it_says_so_once_and_goes_on(compilations, monkeypatch, caplog):
    def none():
        raise exc.InvalidCxxCompiler

    monkeypatch.setattr(cpp_builder, "get_cpp_compiler", none)
    encode, model = CompiledEncode(Compiling(when="always", seconds=0.0, gain=2.0)), Model().bfloat16()
    encode.tell(1.0, left=1)
    read(encode, model), read(encode, model)
    assert not compilations
    assert [record.message for record in caplog.records if "C++ compiler" in record.message][1:] == []
    assert "C++ compiler" in caplog.text
