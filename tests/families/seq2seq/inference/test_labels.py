"""Scoring candidates: the fast way agrees with one teacher-forced pass each."""

import pytest
import torch
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    RobertaConfig,
    SwitchTransformersConfig,
    SwitchTransformersForConditionalGeneration,
    UMT5Config,
    UMT5ForConditionalGeneration,
)
from transformers.modeling_outputs import MoEModelOutput

from dfwe.families.seq2seq.inference.labels import candidate_log_likelihoods
from dfwe.families.text.reader import best_candidates
from dfwe.families.text.trie import PackedTries
from dfwe.families.tokens import pad


def teacher_forced(model, *, input_ids, attention_mask, candidate):
    encoded = model.get_encoder()(input_ids=input_ids[None], attention_mask=attention_mask[None]).last_hidden_state
    start = torch.tensor([model.generation_config.decoder_start_token_id])
    output = model(
        encoder_outputs=MoEModelOutput(last_hidden_state=encoded),
        attention_mask=attention_mask[None],
        decoder_input_ids=torch.cat([start, candidate[:-1]])[None],
    )
    return output.logits[0].log_softmax(-1).gather(-1, candidate[:, None]).sum()


SETS = [[[5, 6, 1], [7, 1]], [[8, 9, 10, 11, 1], [8, 9, 1], [8, 1]], [[5, 1], [6, 1], [7, 8, 1]]]


def both_ways(model, sets):
    generator = torch.Generator().manual_seed(0)
    sources = [torch.randint(3, 250, (length,), generator=generator).tolist() for length in (9, 4, 12)]
    input_ids, mask = pad(sources, value=0), pad([[1] * len(row) for row in sources], value=0)
    with torch.inference_mode():
        found = candidate_log_likelihoods(model, input_ids=input_ids, attention_mask=mask, tries=PackedTries.of(sets))
        expected = [
            teacher_forced(model, input_ids=input_ids[row], attention_mask=mask[row], candidate=torch.tensor(ids))
            for row, each in enumerate(sets)
            for ids in each
        ]
    return found, torch.stack(expected)


@pytest.mark.parametrize("sets", [SETS, [SETS[1]] * 3], ids=["a set each", "one set"])
@pytest.mark.parametrize("kind", ["t5", "bert", "roberta"])
def test_it_agrees_with_one_teacher_forced_pass_per_candidate(model, bert_pair, kind, sets):
    kin = {"kin": RobertaConfig} if kind == "roberta" else {}  # which counts positions from the padding's on
    found, expected = both_ways(model if kind == "t5" else bert_pair(250, **kin), sets)
    assert torch.allclose(found, expected, atol=2e-5)


def test_eager_attention_sees_a_tree_as_others_do(bert_pair):
    pair = bert_pair(250)
    found, _ = both_ways(pair, SETS)
    pair.set_attn_implementation("eager")
    again, expected = both_ways(pair, SETS)
    assert torch.allclose(again, expected, atol=2e-5)
    assert torch.allclose(again, found, atol=2e-5)


def test_the_models_own_positions_are_there_again_afterwards(model):
    ids = torch.tensor([[5, 6, 7]])
    with torch.inference_mode():
        before = model(input_ids=ids, decoder_input_ids=ids).logits
        both_ways(model, SETS)
        assert torch.equal(model(input_ids=ids, decoder_input_ids=ids).logits, before)


KINDS = {
    BartForConditionalGeneration: BartConfig(
        vocab_size=250, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, init_std=0.5,
    ),
    UMT5ForConditionalGeneration: UMT5Config(
        vocab_size=250, d_model=16, d_kv=8, d_ff=16, num_layers=2, num_heads=2, decoder_start_token_id=0
    ),
    SwitchTransformersForConditionalGeneration: SwitchTransformersConfig(  # a tree in one pass, as T5
        vocab_size=250, d_model=16, d_kv=8, d_ff=16, num_layers=2, num_decoder_layers=2, num_heads=2, num_experts=2,
        num_sparse_encoder_layers=1, num_sparse_decoder_layers=1, decoder_start_token_id=0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("sets", [SETS, [SETS[1]] * 3], ids=["a set each", "one set"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_other_encoder_decoders_agree_with_it_too(kind, sets):
    torch.manual_seed(0)
    found, expected = both_ways(kind(KINDS[kind]).eval(), sets)
    assert torch.allclose(found, expected, atol=2e-5)
    assert found.std() > 1


def test_each_row_has_its_own_best_and_the_first_of_equals_wins():
    assert best_candidates(torch.tensor([-3.0, -1.0, -2.0, -2.0, -5.0]), sizes=[2, 3]) == [1, 0]
