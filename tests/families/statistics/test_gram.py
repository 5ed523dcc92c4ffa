"""Gram matrices of linear layers' inputs, and those that come through merged layers."""

from copy import deepcopy

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from dfwe.errors import ConfigurationError, MergeError
from dfwe.families.seq2seq.calibration import Seq2SeqExample
from dfwe.families.statistics.gram import Gram, linear_layers
from dfwe.families.statistics.merged_gram import MergedGram
from dfwe.merging.base import TensorGroup, TensorInfo
from dfwe.merging.methods.statistics import Regmean

METHOD = Regmean(alpha=0.5, ridge=1e-7)


def question(source, target):
    return Seq2SeqExample(torch.tensor([source]), torch.tensor([target]), (), max_new_tokens=4)


ASKED = [question([3, 9, 20, 1], [5, 1]), question([8, 1], [30, 31, 32, 1])]


def gram_matrices(model, questions):
    return Gram(examples=1).measure(model, questions, seed=0, tell=lambda share: None)


def inputs_of(model, module, questions):
    rows = []
    handle = module.register_forward_pre_hook(lambda _, args: rows.append(args[0].detach()[0]))
    with torch.no_grad():
        for each in questions:
            model(input_ids=each.source, labels=each.target)
    handle.remove()
    return torch.cat(rows)


def perturbed(model, seed):
    other, generator = deepcopy(model), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(0.3 * parameter.std() * torch.randn(parameter.shape, generator=generator))
    return other


def test_it_is_the_mean_outer_product_of_each_layers_inputs(model):
    found = gram_matrices(model, ASKED)
    assert set(found) == set(linear_layers(model))
    for name, module in linear_layers(model).items():
        rows = inputs_of(model, module, ASKED)
        torch.testing.assert_close(found[name], rows.T @ rows / len(rows), atol=1e-5, rtol=1e-4)


def test_the_decoder_reads_the_answers_tokens_and_the_source_but_no_padding(model):
    layers = linear_layers(model)
    assert len(inputs_of(model, layers["decoder.block.0.layer.0.SelfAttention.q.weight"], ASKED)) == 6
    assert len(inputs_of(model, layers["decoder.block.0.layer.1.EncDecAttention.k.weight"], ASKED)) == 6
    assert len(inputs_of(model, layers["encoder.block.0.layer.0.SelfAttention.q.weight"], ASKED)) == 6
    alone = [gram_matrices(model, [each]) for each in ASKED]
    name = "encoder.block.1.layer.1.DenseReluDense.wo.weight"
    expected = (4 * alone[0][name] + 2 * alone[1][name]) / 6
    torch.testing.assert_close(gram_matrices(model, ASKED)[name], expected)


def test_a_tied_output_layer_has_none(model):
    names = set(linear_layers(model))
    assert model.lm_head.weight is model.shared.weight
    assert not any("lm_head" in name or "shared" in name for name in names)
    model.lm_head.weight = torch.nn.Parameter(model.shared.weight.detach().clone())
    assert set(linear_layers(model)) == names | {"lm_head.weight"}


def test_nothing_stays_on_the_model(model):
    model.train()
    gram_matrices(model, ASKED)
    MergedGram(examples=2, method=METHOD).collect([model], questions=[ASKED], seed=0, tell=lambda share: None)
    assert model.training
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in model.modules())


def merged_grams(models, questions):
    collector = MergedGram(examples=2, method=METHOD)
    assert collector.together
    return collector.collect(models, questions=questions, seed=0, tell=lambda share: None)


def test_of_equal_experts_merged_layers_give_the_same_matrices(model):
    expected = gram_matrices(model, ASKED)
    for found in merged_grams([model, deepcopy(model)], [ASKED, ASKED]):
        assert set(found) == set(expected)
        for name, gram in found.items():
            torch.testing.assert_close(gram, expected[name], atol=1e-5, rtol=1e-4)


def test_the_first_layer_reads_mean_embeddings_through_its_own_weights(model):
    first, second = perturbed(model, 1), perturbed(model, 2)
    found = merged_grams([first, second], [ASKED, ASKED[:1]])
    expected = deepcopy(first)
    with torch.no_grad():
        expected.shared.weight.copy_((first.shared.weight + second.shared.weight) / 2)
    grams = gram_matrices(expected, ASKED)
    for name in (name for name in grams if name.startswith("encoder.")):
        same = torch.allclose(found[0][name], grams[name], atol=1e-5, rtol=1e-4)
        assert same == name.startswith("encoder.block.0."), name  # the second one reads what is merged


def test_a_later_layer_reads_what_the_merged_ones_before_it_give(model):
    experts, asked = [perturbed(model, 1), perturbed(model, 2)], [ASKED, ASKED[1:]]
    found = merged_grams(experts, asked)
    weights = [dict(expert.named_parameters()) for expert in experts]
    through = deepcopy(experts[1])
    with torch.no_grad():
        for name, parameter in through.named_parameters():
            if not name.startswith("decoder.block.1."):  # the last layer is the second expert's own
                statistics = tuple(each.get(name) for each in found)
                piece = TensorGroup(TensorInfo(name, 0.0), tuple(each[name] for each in weights), statistics=statistics)
                parameter.copy_(METHOD.merge_tensor(piece, coefficients=(0.5, 0.5), state=None))
    grams = gram_matrices(through, asked[1])
    for name in (name for name in grams if name.startswith("decoder.block.1.")):
        torch.testing.assert_close(found[1][name], grams[name], atol=1e-4, rtol=1e-3)


@pytest.mark.filterwarnings("ignore:Version v4.12.0:FutureWarning")
def test_an_encoder_decoder_of_other_halves_is_measured_too(bert_pair):
    pair = bert_pair(60)
    pair.config.decoder_start_token_id, pair.config.pad_token_id = 2, 0  # as for training
    expected = gram_matrices(pair, ASKED)
    found = merged_grams([pair, deepcopy(pair)], [ASKED, ASKED])[0]
    assert set(found) == set(expected)
    for name, gram in found.items():
        torch.testing.assert_close(gram, expected[name], atol=1e-5, rtol=1e-4)


def test_settings_out_of_range_are_errors():
    with pytest.raises(MergeError, match="ridge=0.0: expected a number above 0"):
        MergedGram(examples=1, method=Regmean(alpha=0.9, ridge=0.0))


def test_layers_that_keep_their_weights_transposed_are_refused():
    model = GPT2LMHeadModel(GPT2Config(n_embd=8, n_layer=1, n_head=2, vocab_size=9))
    with pytest.raises(ConfigurationError, match="keeps their weights transposed"):
        linear_layers(model)
