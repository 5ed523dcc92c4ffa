"""The position ids that a model counts its tokens by."""

from __future__ import annotations

from torch import nn


def first_position(model: nn.Module) -> int:
    """Return the id of the first token's position: of RoBERTa's kin the one behind the padding's, of others 0."""
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding) and module.padding_idx is not None:
            return module.padding_idx + 1
    return 0
