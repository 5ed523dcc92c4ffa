"""Scoring candidates: the fast way agrees with one teacher-forced pass each."""

import torch
from transformers.modeling_outputs import BaseModelOutput

from dfwe.data.datamodule import IGNORE, pad
from dfwe.evaluation.labels import best_candidates, candidate_log_likelihoods


def teacher_forced(model, *, input_ids, attention_mask, candidate):
    encoded = model.get_encoder()(input_ids=input_ids[None], attention_mask=attention_mask[None]).last_hidden_state
    start = torch.tensor([model.generation_config.decoder_start_token_id])
    output = model(
        encoder_outputs=BaseModelOutput(last_hidden_state=encoded),
        attention_mask=attention_mask[None],
        decoder_input_ids=torch.cat([start, candidate[:-1]])[None],
    )
    return output.logits[0].log_softmax(-1).gather(-1, candidate[:, None]).sum()


def test_it_agrees_with_one_teacher_forced_pass_per_candidate(model):
    generator = torch.Generator().manual_seed(0)
    sources = [torch.randint(3, 250, (length,), generator=generator).tolist() for length in (9, 4, 12)]
    sets = [[[5, 6, 1], [7, 1]], [[8, 9, 10, 11, 1]], [[5, 1], [6, 1], [7, 8, 1]]]
    input_ids, mask = pad(sources, value=0), pad([[1] * len(row) for row in sources], value=0)
    candidates = pad([ids for each in sets for ids in each], value=IGNORE)
    owner = torch.tensor([row for row, each in enumerate(sets) for _ in each])
    with torch.inference_mode():
        found = candidate_log_likelihoods(
            model, input_ids=input_ids, attention_mask=mask, candidates=candidates, owner=owner
        )
        expected = [
            teacher_forced(model, input_ids=input_ids[row], attention_mask=mask[row], candidate=torch.tensor(ids))
            for row, each in enumerate(sets)
            for ids in each
        ]
    assert torch.allclose(found, torch.stack(expected), atol=2e-5)


def test_candidates_of_one_token_need_one_decoder_step_only(model):
    with torch.inference_mode():
        found = candidate_log_likelihoods(
            model,
            input_ids=torch.tensor([[5, 6]]),
            attention_mask=torch.ones(1, 2, dtype=torch.int64),
            candidates=torch.tensor([[1], [2]]),
            owner=torch.tensor([0, 0]),
        )
    assert found.shape == (2,)


def test_each_row_has_its_own_best_and_the_first_of_equals_wins():
    assert best_candidates(torch.tensor([-3.0, -1.0, -2.0, -2.0, -5.0]), sizes=[2, 3]) == [1, 0]
