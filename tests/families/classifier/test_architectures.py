"""Studies run with encoders and decoders of many kinds: a batch gives what Transformers gives for each text alone."""

import pytest
import torch
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, AutoTokenizer

from dfwe.errors import ModelError
from dfwe.families.classifier.model import load_classifier, output_layer

TEXTS = ("a merry tale", "the kettle is warm and the tea is mild", "mild", "merry and mild")
DISENTANGLED = {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "type_vocab_size": 0}
KINDS = {
    "albert": {"embedding_size": 8},
    "deberta-v2": {**DISENTANGLED, "position_buckets": 16, "norm_rel_ebd": "layer_norm", "share_att_key": True},
    "distilbert": {},
    "electra": {"embedding_size": 8},
    "modernbert": {"global_attn_every_n_layers": 2, "local_attention": 8},
    "mpnet": {},
    "xlm-roberta": {},
    "gpt2": {},
    "llama": {},
    "qwen3": {"head_dim": 8, "num_key_value_heads": 1, "max_window_layers": 2},
}


@pytest.fixture
def parent(tiny_bert, tmp_path):
    """A function from a kind to a folder with a tiny random model of it and a tokenizer."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    tokens = dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id"), tokenizer.pad_token_id)
    tokens |= {"cls_token_id": tokenizer.cls_token_id, "sep_token_id": tokenizer.sep_token_id}

    def make(kind, **more):
        torch.manual_seed(0)
        config = AutoConfig.for_model(kind, vocab_size=len(tokenizer), **shape, **tokens, **more)
        model = AutoModel.from_config(config)
        for parameter in model.parameters():
            parameter.data.add_(0.1 * torch.randn_like(parameter))
        model.save_pretrained(tmp_path / kind)
        tokenizer.save_pretrained(tmp_path / kind)
        return tmp_path / kind

    return make


@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_nothing_and_every_weight_learns(kind, parent, tmp_path):
    folder = parent(kind, **KINDS[kind])
    model = load_classifier(folder, answers={"mood": ("bad", "good", "mixed")}, seed=3)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    batch = tokenizer(list(TEXTS), padding=True, return_token_type_ids=False, return_tensors="pt")
    found = model({"task": "mood", **batch})
    model.plain("mood").save_pretrained(tmp_path / "whole")
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "whole").eval()
    with torch.inference_mode():
        alone = [plain(tokenizer(text, return_tensors="pt")["input_ids"]).logits for text in TEXTS]
    assert torch.allclose(found, torch.cat(alone), atol=1e-6)
    found.square().sum().backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []
    assert output_layer(model.network("mood"))[1].out_features == 3


def test_a_decoder_that_sees_has_the_padding_of_its_text(parent):
    text = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1}
    text |= {"intermediate_size": 16, "head_dim": 8, "vocab_size": 300, "pad_token_id": None}
    sees = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    sees |= {"image_size": 28, "patch_size": 14}
    folder = parent("gemma3", text_config=text, vision_config=sees, mm_tokens_per_image=4)
    model = load_classifier(folder, answers={"mood": ("bad", "good")}, seed=3)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert model.encoder.config.get_text_config().pad_token_id == tokenizer.pad_token_id
    batch = tokenizer(list(TEXTS), padding=True, return_token_type_ids=False, return_tensors="pt")
    assert model({"task": "mood", **batch}).shape == (4, 2)


def test_an_encoder_without_its_classifiers_weights_is_refused(parent):
    with pytest.raises(ModelError, match=r"'nomic_bert' has weights that its plain encoder lacks \(pooler"):
        load_classifier(parent("nomic_bert"), answers={"mood": ("bad", "good")}, seed=3)
