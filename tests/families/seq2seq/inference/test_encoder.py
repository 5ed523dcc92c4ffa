import pytest
import torch
from transformers import T5Config, T5ForConditionalGeneration, UMT5Config, UMT5ForConditionalGeneration

from dfwe.families.seq2seq.inference import encoder
from dfwe.families.seq2seq.inference.encoder import encode, encode_in_parts


@pytest.mark.parametrize(
    ("kind", "config"), [(T5ForConditionalGeneration, T5Config), (UMT5ForConditionalGeneration, UMT5Config)]
)
def test_encode_with_padding_equals_transformers_mask(kind, config):
    torch.manual_seed(0)
    model = kind(config(vocab_size=40, d_model=32, d_kv=8, d_ff=48, num_layers=3, num_heads=4)).eval()
    ids = torch.randint(2, 40, (3, 6))
    mask = torch.ones_like(ids)
    mask[0, 4:], mask[2, 1:] = 0, 0
    with torch.inference_mode():
        own = model.get_encoder()(input_ids=ids, attention_mask=mask).last_hidden_state
        ours = encode(model, input_ids=ids, attention_mask=mask)
        rows_alone = encode(model, input_ids=ids[:1, :4], attention_mask=mask[:1, :4])
    real = mask.bool()
    torch.testing.assert_close(ours[real], own[real])
    torch.testing.assert_close(ours[0, :4], rows_alone[0])
    assert "compute_bias" not in vars(model.get_encoder().block[0].layer[0].SelfAttention)


def test_encode_in_parts_equals_encoding_at_once(monkeypatch):
    torch.manual_seed(0)
    model = T5ForConditionalGeneration(T5Config(vocab_size=40, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4))
    ids, lengths, shapes = torch.randint(2, 40, (4, 9)), (9, 2, 5, 3), []
    mask = torch.tensor([[1] * length + [0] * (9 - length) for length in lengths])

    def recording(model, *, input_ids, attention_mask):
        shapes.append(tuple(input_ids.shape))
        return encode(model, input_ids=input_ids, attention_mask=attention_mask)

    with torch.inference_mode():
        once = encode(model.eval(), input_ids=ids, attention_mask=mask)
        monkeypatch.setattr(encoder, "encode", recording)
        parts = encode_in_parts(model, input_ids=ids, attention_mask=mask, max_tokens=10)
    assert all(rows * width <= 10 for rows, width in shapes)
    assert len(shapes) > 1
    torch.testing.assert_close(parts[mask.bool()], once[mask.bool()])
