import torch
from transformers import T5Config, T5ForConditionalGeneration

from dfwe.evaluation.encoder import encode


def test_padding_masked_once_in_the_bias_gives_what_the_models_own_mask_gives():
    torch.manual_seed(0)
    model = T5ForConditionalGeneration(T5Config(vocab_size=40, d_model=32, d_kv=8, d_ff=48, num_layers=3, num_heads=4))
    model.eval()
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
