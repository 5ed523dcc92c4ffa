"""Fields with which a configuration would make Transformers run, import or fetch something."""

import pytest

from dfwe.errors import ModelError
from dfwe.models.safe_config import check_configuration

DANGEROUS = {
    "auto_map": {"AutoModel": "code.Mine"},
    "quantization_config": {"quant_method": "bitsandbytes"},
    "compression_config": {"quant_method": "compressed-tensors"},
    "attn_implementation": "somebody/kernels",
    "_attn_implementation": "flash_attention_2",  # where its package is not installed, kernels are downloaded
    "_attn_implementation_internal": {"decoder": "somebody/kernels@main"},
    "experts_implementation": "somebody/kernels:mixture",
    "configuration_files": ["config.5.0.0.json"],
    "transformers_weights": "other.safetensors",
    "use_timm_backbone": True,
}


@pytest.mark.parametrize(("field", "value"), DANGEROUS.items())
def test_check_configuration_refuses_dangerous_fields(field, value):
    for config in ({field: value}, {"decoder": {"text_config": {field: value}}}):
        with pytest.raises(ModelError, match=f"^here.*`{field}`"):
            check_configuration(config, where="here")


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"auto_map": {}, "quantization_config": None, "use_timm_backbone": False},
        {"_attn_implementation": "sdpa", "experts_implementation": {"text_config": "eager", "other": None}},
        {"_attn_implementation_autoset": True},
        {"architectures": ["T5ForConditionalGeneration"], "attention_dropout": 0.1},
    ],
)
def test_check_configuration_accepts_ordinary_fields(config):
    check_configuration(config, where="here")


@pytest.mark.parametrize("name", ["AutoTokenizer", "AutoProcessor", "pipeline", "os.system", 3, ["T5Tokenizer"]])
def test_check_configuration_refuses_other_tokenizer_classes(name):
    with pytest.raises(ModelError, match="must name a tokenizer"):
        check_configuration({"tokenizer_class": name}, where="here")


@pytest.mark.parametrize("name", [None, "T5Tokenizer", "PreTrainedTokenizerFast", "TokenizersBackend"])
def test_check_configuration_accepts_tokenizer_classes(name):
    check_configuration({"tokenizer_class": name}, where="here")
