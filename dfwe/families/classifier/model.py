"""One encoder that tasks share, with the sequence-classification head of each task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy, deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification, PreTrainedModel
from transformers.initialization import no_init_weights

from dfwe.errors import ModelError
from dfwe.families.encoder.data import SentenceBatch
from dfwe.families.encoder.heads import LabelHead, NumberHead
from dfwe.families.encoder.model import TaskModel
from dfwe.models.folders import ordered_labels
from dfwe.models.loading import load_config, load_encoder, load_tokenizer, load_weights_of
from dfwe.seeding import derive

_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


class Classifier(TaskModel):
    """Transformers' models for sequence classification, one per task, all around the encoder of the first.

    A batch has one text or one pair per example, in one row.
    """

    def __init__(self, networks: Mapping[str, PreTrainedModel], *, answers: Mapping[str, Sequence[str]]) -> None:
        """Take the networks by task, with the answers that their outputs stand for; none for a number."""
        super().__init__()
        self.encoder, self.heads = next(iter(networks.values())).base_model, nn.ModuleDict()
        for task, network in networks.items():
            # known to each network, but a module of this one alone: parameters have one name each
            delattr(network, network.base_model_prefix)
            object.__setattr__(network, network.base_model_prefix, self.encoder)
            kind = LabelHead if answers[task] else NumberHead
            # the network itself reads text, so that pooling is its own
            self._add_head(task, kind(network, labels=answers[task], num_sentences=1, pooling="cls"))

    def network(self, task: str) -> Any:
        """Return the task's model for sequence classification, whose encoder is not a module of it."""
        return self.head(task).network

    def plain(self, task: str) -> Any:
        """Return the task's model as Transformers has it, its encoder included; weights are shared."""
        network = copy(self.network(task))
        network._modules = dict(network._modules)
        network.__dict__.pop(network.base_model_prefix)
        setattr(network, network.base_model_prefix, self.encoder)
        return network

    def forward(
        self, batch: SentenceBatch, *, embeddings: Float[Tensor, "rows length width"] | None = None
    ) -> Float[Tensor, "batch outputs"]:
        """Return the outputs of the task's head; from `embeddings` where they are given, else from the tokens."""
        self._check_length(batch)
        inputs = {name: batch[name] for name in _INPUTS if name in batch}
        if embeddings is not None:
            inputs = {**inputs, "input_ids": None, "inputs_embeds": embeddings}
        logits: Tensor = self.network(batch["task"])(**inputs).logits
        return logits


def load_classifier(folder: Path, *, answers: Mapping[str, Sequence[str]], seed: int) -> Classifier:
    """Load the encoder in a Hugging Face folder and draw a head per task, in float32 and evaluation mode.

    `answers` are the tasks' closed sets of answers, empty for a task whose answer is a number. Each head is drawn from
    a stream of its own, named by its task: no head depends on which others there are.

    Raises:
        ModelError: the folder holds no encoder, its weights do not fit, or no head is known for its architecture.
    """
    with torch.random.fork_rng(devices=[]):
        encoder = load_encoder(folder)
        if encoder.config.model_type == "xlnet":
            raise ModelError(f"{folder}: XLNet's heads read the last position, which is padding here: choose another")
        of_text = encoder.config.get_text_config()
        if of_text.pad_token_id is None:  # by which a decoder's head finds a text's end
            of_text.pad_token_id = load_tokenizer(folder).pad_token_id
        networks = {
            task: _network(encoder, answers=texts, head=_drawn_head(folder, tuple(texts), derive(seed, "head", task)))
            for task, texts in answers.items()
        }
    shared = next(iter(networks.values())).base_model
    weights, names = encoder.state_dict(), shared.state_dict().keys()  # without parts such as RoBERTa's pooler
    if lacking := sorted(names - weights.keys()):
        raise ModelError(
            f"{folder}: a classifier of type '{encoder.config.model_type}' has weights that its plain encoder lacks "
            f"({lacking[0]}): choose another model"
        )
    shared.load_state_dict({name: weights[name] for name in names})
    model = Classifier(networks, answers=answers)
    model.eval()
    return model


def output_layer(network: Any) -> tuple[str, nn.Linear]:
    """Return the name and the module of a head's last linear layer, the one that gives the logits.

    Raises:
        ModelError: the network has none with an output per answer.
    """
    layers = [(name, module) for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    if not layers or layers[-1][1].out_features != network.config.num_labels:
        raise ModelError(f"{type(network).__name__} has no linear output layer that could be trained first")
    return layers[-1]


def parameters_of_head(network: Any) -> list[str]:
    """Return the names of a network's parameters that are not its encoder's."""
    return [name for name, _ in network.named_parameters() if not name.startswith(f"{network.base_model_prefix}.")]


def has_head(name: str) -> bool:
    """Return whether a folder or repository holds a model for sequence classification."""
    return any(str(kind).endswith("ForSequenceClassification") for kind in load_config(name).architectures or ())


def labels_of(name: str) -> tuple[str, ...]:
    """Return the labels of a model for sequence classification in a folder or repository, in its outputs' order."""
    return ordered_labels(load_config(name).id2label)


def have_same_labels(labels: Sequence[str], answers: Sequence[str]) -> bool:
    """Return whether a model's labels are the target's answers, in whatever order."""
    return sorted(labels) == sorted(answers)


def order_outputs(network: Any, labels: Sequence[str], *, answers: Sequence[str]) -> None:
    """Put the outputs of a network with these labels into the order of the answers.

    Labels that Transformers made up (`LABEL_0`) count as being in that order, unless the answers have these names.

    Raises:
        ModelError: the labels are others.
    """
    check_labels(labels, answers=answers)
    if tuple(labels) == tuple(answers) or not have_same_labels(labels, answers):
        return
    _, layer = output_layer(network)
    order = [list(labels).index(answer) for answer in answers]
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(parameter[order].clone())


def copy_head(network: Any, name: str, *, answers: Sequence[str]) -> None:
    """Copy the head of a classifier in a folder or repository, its outputs in the order of the answers, if any."""
    network.load_state_dict(_head_of(name, network.base_model_prefix), strict=False)
    if answers:
        order_outputs(network, labels_of(name), answers=answers)


@lru_cache(maxsize=2)
def _head_of(name: str, encoder: str) -> Mapping[str, Tensor]:
    """Return the weights of a classifier beside its encoder's: a study asks for them many times."""
    weights = load_weights_of(AutoModelForSequenceClassification, name).state_dict()
    return {key: tensor for key, tensor in weights.items() if not key.startswith(f"{encoder}.")}


def are_answers(labels: Sequence[str], *, answers: Sequence[str]) -> bool:
    """Return whether a classifier's outputs can be the answers, in whatever order; a number is one output, without any.

    As many labels that Transformers made up (`LABEL_0`) can be any.
    """
    if not answers:
        return len(labels) == 1
    are_made_up = all(label.startswith("LABEL_") for label in labels) and len(labels) == len(answers)
    return are_made_up or have_same_labels(labels, answers)


def check_labels(labels: Sequence[str], *, answers: Sequence[str]) -> None:
    """Raise ModelError where a classifier's outputs cannot be the target's answers."""
    if not are_answers(labels, answers=answers):
        target = ", ".join(answers) or "numbers"
        lacking = [label for label in labels if label not in answers]
        remedy = "name the target's labels as the model's are"
        if len(labels) == 1:
            remedy = "its one output is a number (--kind number, where the answers are numbers)"
        if lacking and {*answers} < {*labels}:
            remedy = f"add {', '.join(lacking)} under `labels` in the YAML of the target's task"
        raise ModelError(f"a classifier has the labels {', '.join(labels)}, the target has {target}: {remedy}")


def _network(encoder: Any, *, answers: Sequence[str], head: Mapping[str, Tensor]) -> Any:
    """Return a network with this head; the weights of its encoder are still to be loaded."""
    with no_init_weights():  # drawing 20 million of them takes longer than all else here
        network = AutoModelForSequenceClassification.from_config(_config(encoder.config, answers=answers))
    network.load_state_dict(head, strict=False)
    return network


@lru_cache(maxsize=128)
def _drawn_head(folder: Path, answers: tuple[str, ...], seed: int) -> Mapping[str, Tensor]:
    """Return the weights that `seed` draws for the head of a whole network: a study asks for each many times."""
    config = load_config(folder)
    torch.default_generator.manual_seed(seed)  # the caller restores it; torch.manual_seed would touch a GPU's, too
    try:
        network = AutoModelForSequenceClassification.from_config(_config(config, answers=answers))
    except ValueError as error:
        raise ModelError(f"{folder}: Transformers has no sequence classifier of type '{config.model_type}'") from error
    encoder_prefix = f"{network.base_model_prefix}."
    weights = network.state_dict()
    return {name: weights[name].clone() for name in weights if not name.startswith(encoder_prefix)}


def _config(encoder: Any, *, answers: Sequence[str]) -> Any:
    config = deepcopy(encoder)
    config.id2label = dict(enumerate(answers)) if answers else {0: "value"}
    config.label2id = {label: number for number, label in config.id2label.items()}
    config.problem_type = "single_label_classification" if answers else "regression"
    return config
