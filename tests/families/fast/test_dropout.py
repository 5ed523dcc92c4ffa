"""Light dropout: torch's dropout and attention, but for the random numbers."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from dfwe.families.fast.dropout import LightDropout, light_dropout

TINY = 1e-9  # rounds to nothing, so that what is left is the attention itself


def attention_inputs(dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, 3, length, 8, generator=generator).to(dtype) for length in (5, 7, 7)]


MASKS = {
    "none": {},
    "causal": {"is_causal": True},
    "boolean": {"attn_mask": torch.tensor([[True, True, False, True, True, False, False]])},
    "added": {"attn_mask": torch.linspace(-1, 1, 35).view(5, 7)},
    "scaled": {"scale": 1.0},
}


def test_the_share_of_p_is_dropped_and_the_mean_stays():
    torch.manual_seed(0)
    values = light_dropout(torch.ones(1_000_001), 0.1)
    share = float((values == 0).double().mean())
    assert abs(share - 0.1) < 5 * (0.1 * 0.9 / 1e6) ** 0.5 + 1 / 65536
    assert abs(float(values.double().mean()) - 1) < 0.002
    assert values.unique().tolist() == [0.0, pytest.approx(1 / 0.9, abs=1e-4)]


def test_neighbours_are_dropped_independently():
    torch.manual_seed(0)
    dropped = (light_dropout(torch.ones(1_000_000), 0.5) == 0).double()
    for distance in (1, 2, 3, 4, 8):  # four draws share a word
        together = float((dropped[distance:] * dropped[:-distance]).mean())
        assert abs(together - 0.25) < 0.003


def test_a_seed_gives_the_same_draws():
    layer, values = nn.Dropout(0.3), torch.ones(3, 77)
    found = []
    for _ in range(2):
        torch.manual_seed(5)
        with LightDropout():
            found.append(layer(values))
    assert torch.equal(*found)


def test_gradients_flow_where_nothing_was_dropped():
    values = torch.ones(1000, requires_grad=True)
    with LightDropout():
        kept = functional.dropout(values, 0.25)
    kept.sum().backward()
    assert torch.equal(values.grad, kept)


@pytest.mark.parametrize("more", MASKS.values(), ids=MASKS)
def test_attention_is_torchs(more):
    inputs = attention_inputs()
    with LightDropout():
        found = functional.scaled_dot_product_attention(*inputs, dropout_p=TINY, **more)
    expected = functional.scaled_dot_product_attention(*inputs, **more)
    assert torch.allclose(found, expected, atol=1e-6)


def test_attention_with_shared_keys_is_torchs():
    (query, _, _), (_, key, value) = attention_inputs(), attention_inputs()
    query, more = query.repeat(1, 2, 1, 1), {"enable_gqa": True}
    with LightDropout():
        found = functional.scaled_dot_product_attention(query, key, value, dropout_p=TINY, **more)
    assert torch.allclose(found, functional.scaled_dot_product_attention(query, key, value, **more), atol=1e-6)


def test_attention_drops_shares_and_keeps_their_mean():
    torch.manual_seed(0)
    query, key, value = (torch.ones(64, 4, 10, 8) for _ in range(3))
    with LightDropout():
        found = functional.scaled_dot_product_attention(query, key, value, dropout_p=0.5)
    assert abs(float(found.mean()) - 1) < 0.03
    assert float(found.std()) > 0.1


def test_autocast_keeps_its_number_format():
    with LightDropout(), torch.autocast("cpu", torch.bfloat16):
        found = functional.scaled_dot_product_attention(*attention_inputs(), dropout_p=0.1)
    assert found.dtype == torch.bfloat16


def test_what_drops_nothing_is_computed_bit_for_bit_and_draws_nothing():
    inputs, layer = attention_inputs(), nn.Dropout(0.3).eval()
    state = torch.random.get_rng_state()
    with LightDropout():
        attended, kept = functional.scaled_dot_product_attention(*inputs), layer(inputs[0])
    assert torch.equal(attended, functional.scaled_dot_product_attention(*inputs))
    assert torch.equal(kept, inputs[0])
    assert torch.equal(state, torch.random.get_rng_state())
