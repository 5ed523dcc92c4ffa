"""Tell what kind of model of Transformers is at hand, and find the weights of others for it."""

from __future__ import annotations

import copy
from typing import Any

from torch import nn
from transformers import PreTrainedModel

from dfwe.errors import MergeError
from dfwe.families.classifier.model import labels_of, order_outputs
from dfwe.models.external import ExternalModel, copy_external
from dfwe.models.folders import ordered_labels
from dfwe.models.loading import load_weights_of


def is_classifier(model: nn.Module) -> bool:
    """Return whether it is one of Transformers' models for sequence classification."""
    return type(model).__name__.endswith("ForSequenceClassification")


def own_labels(model: Any) -> tuple[str, ...]:
    """Return a classifier's labels in the order of its outputs."""
    return ordered_labels(model.config.id2label)


def network_of(expert: str | ExternalModel | nn.Module, *, like: nn.Module) -> nn.Module:
    """Return a network with the expert's weights, of the architecture of `like`; a model in memory as it is.

    A classifier's outputs come in the order of the labels of `like`.

    Raises:
        ModelError: the weights cannot be read or do not fit; the labels are others.
        MergeError: a folder is to be loaded for a model that is not of Transformers.
    """
    if isinstance(expert, nn.Module):
        labels = own_labels(expert) if is_classifier(expert) else ()
        network = expert if not labels or labels == own_labels(like) else copy.deepcopy(expert)
    else:
        external = ExternalModel(expert) if isinstance(expert, str) else expert
        network = _load(external, like=like)
        labels = labels_of(external.name) if external.form == "model" and is_classifier(like) else ()
    if labels:
        order_outputs(network, labels, answers=own_labels(like))
    return network


def _load(external: ExternalModel, *, like: nn.Module) -> nn.Module:
    if external.form != "model":
        network = copy.deepcopy(like)
        copy_external(network, external, load=lambda name: network)
        return network
    if not isinstance(like, PreTrainedModel):
        raise MergeError(
            f"{type(like).__name__} is not a model of Transformers, so that no folder can be loaded for it: name "
            ".safetensors files"
        )
    # not copied into a second network: memory has room for the experts and one model
    loaded: nn.Module = load_weights_of(type(like), external.name)
    return loaded
