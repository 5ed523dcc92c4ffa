"""Experts in Python: load, merge, search."""

import copy

import pytest
import pytorch_lightning as pl
import torch
from safetensors.torch import save_file
from torch import nn
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    BertForTokenClassification,
    LlamaConfig,
    LlamaForCausalLM,
)

from dfwe.api import WeightSearch, evaluate, load_experts, merge, new_search, preflight, search_weights
from dfwe.api.experts import _check_experts
from dfwe.errors import ConfigurationError, MergeError, ModelError, SearchError
from dfwe.merging.expert_array import Layout, load_weights

LABELS = ["calm", "glad", "sad"]


def llama(seed):
    torch.manual_seed(seed)
    config = LlamaConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1, intermediate_size=32,
        vocab_size=40,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


@pytest.fixture
def folders(tmp_path):
    """The base model and two others, each in a folder."""
    for number, name in enumerate(("base", "a", "b")):
        llama(number).save_pretrained(tmp_path / name)
    return [str(tmp_path / name) for name in ("base", "a", "b")]


def parameters(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def nearness(model, aim):
    return 1 - float((parameters(model) - aim).norm() / aim.norm())


def test_models_of_every_form_are_the_same_experts(folders, tmp_path):
    model = llama(0)
    save_file(
        {f"net.{name}": tensor.clone() for name, tensor in llama(2).named_parameters()}, tmp_path / "b.safetensors"
    )
    by_folder = load_experts(folders[1:], model=model)
    mixed = load_experts({"a": llama(1), "b": tmp_path / "b.safetensors"}, model=model)
    assert by_folder.names == mixed.names == ("a", "b")
    assert torch.equal(by_folder.weights, mixed.weights)
    assert torch.equal(by_folder.weights[0], parameters(llama(1)))
    assert torch.equal(parameters(model), parameters(llama(0)))  # its own weights stay


@pytest.mark.parametrize("has_base", [True, False])
def test_lora_folders_are_held_as_factors(folders, adapter, has_base):
    model, layout = llama(0), Layout.of(llama(0))
    lora = adapter("lora", layout, rank=2, whole=("norm.weight",))
    experts = load_experts({"a": llama(1), "lora": lora}, model=model, base=folders[2] if has_base else None)
    assert experts.weights.shape == (1, layout.size)
    assert torch.equal(experts.base, parameters(llama(2 if has_base else 0)))
    merge(model, experts, [0.3, 0.7])
    expected = llama(2 if has_base else 0)
    load_weights(expected, lora, name="lora")
    torch.testing.assert_close(parameters(model), 0.3 * parameters(llama(1)) + 0.7 * parameters(expected))


def test_models_in_memory_get_names():
    assert load_experts([llama(1), llama(2)], model=llama(0)).names == ("expert_1", "expert_2")


def test_a_merge_is_written_into_the_model(folders):
    model = llama(0)
    experts = load_experts(folders[1:], model=model, base=folders[0])
    merge(model, experts, [0.3, 0.7])
    mean = 0.3 * parameters(llama(1)) + 0.7 * parameters(llama(2))
    assert torch.allclose(parameters(model), mean, atol=1e-6)
    merge(model, experts, {"b": 0.5, "a": 0.5}, method="task_arithmetic", scale=0.4)
    halves = (0.5 * (parameters(llama(number)) - parameters(llama(0))) for number in (1, 2))
    assert torch.allclose(parameters(model), parameters(llama(0)) + 0.4 * sum(halves), atol=1e-6)
    model.save_pretrained(folders[0])  # parameters have storage of their own again
    assert torch.equal(parameters(LlamaForCausalLM.from_pretrained(folders[0])), parameters(model))


@pytest.mark.parametrize("is_flat", [True, False])
def test_a_merge_is_rounded_for_a_bfloat16_model(folders, adapter, is_flat, monkeypatch):
    monkeypatch.setattr("dfwe.training.weight_search.is_dispatched", lambda model: not is_flat)
    lora = adapter("lora", Layout.of(llama(0)), rank=2)
    for experts, tolerance in ((folders[1:], 0.0), ([folders[1], lora], 2**-7)):  # a base is rounded by itself
        exact, rounded = llama(0), llama(0).bfloat16()
        for model in (exact, rounded):
            merge(model, load_experts(experts, model=model, base=folders[0]), [0.3, 0.7])
        expected = parameters(exact).bfloat16()
        torch.testing.assert_close(parameters(rounded), expected, rtol=tolerance, atol=tolerance / 100)


def test_a_model_of_several_types_keeps_them(folders):
    model = llama(0).bfloat16()
    model.lm_head.float()
    merge(model, load_experts(folders[1:], model=model), [0.3, 0.7])
    assert {name: p.dtype for name, p in model.named_parameters() if p.dtype == torch.float32}.keys() == {
        "lm_head.weight"
    }
    expected = llama(0)
    merge(expected, load_experts(folders[1:], model=expected), [0.3, 0.7])
    assert torch.equal(model.lm_head.weight, expected.lm_head.weight)


def test_a_search_ends_with_the_best_weights_in_the_model(folders):
    model, aim = llama(0), 0.8 * parameters(llama(1)) + 0.2 * parameters(llama(2))
    experts = load_experts(folders[1:], model=model)
    result = search_weights(model, experts, lambda candidate: nearness(candidate, aim), budget=20)
    assert result.best.coefficients.as_dict()["a"] == pytest.approx(0.8, abs=0.02)
    assert nearness(model, aim) == pytest.approx(result.best.evaluation.score, abs=1e-6)
    assert [trial.kind for trial in result.trials[:3]] == ["expert", "expert", "uniform"]
    assert len(result.trials) == 22
    again = search_weights(llama(0), experts, lambda candidate: nearness(candidate, aim), budget=20)
    assert again.best.coefficients == result.best.coefficients


def test_a_method_and_a_search_are_chosen_by_name(folders):
    model, aim = llama(0), parameters(llama(1))
    experts = load_experts(folders[1:], model=model, base=llama(0))
    result = search_weights(
        model, experts, lambda candidate: nearness(candidate, aim), method="ties", search="random", budget=3,
        settings={"density": 0.5},
    )  # fmt: skip
    assert result.best.kind == "expert"
    assert result.best.coefficients.as_dict() == {"a": 1.0, "b": 0.0}
    assert torch.equal(parameters(model), aim)


def test_the_callback_takes_a_search_by_name(folders):
    experts = load_experts(folders[1:], model=llama(0))
    search = new_search(experts, "grid", budget=5)
    module = pl.LightningModule()
    module.model, aim = llama(0), 0.5 * (parameters(llama(1)) + parameters(llama(2)))
    module.training_step, module.configure_optimizers = (lambda *_: None), (lambda: None)
    callback = WeightSearch(experts, search, lambda module: nearness(module.model, aim))
    loader = torch.utils.data.DataLoader([0])
    pl.Trainer(max_epochs=0, logger=False, enable_checkpointing=False, callbacks=[callback]).fit(module, loader)
    assert torch.allclose(parameters(module.model), aim, atol=1e-6)


def test_a_search_of_ones_own_is_taken(folders):
    experts = load_experts(folders[1:], model=llama(0))
    search = new_search(experts, "random", budget=4, seed=1)
    assert len(search_weights(llama(0), experts, lambda model: 0.5, search=search).trials) == 6


def test_any_module_is_searched(tmp_path):
    files = {}
    for number, name in enumerate("ab"):
        files[name] = tmp_path / f"{name}.safetensors"
        save_file({"weight": torch.eye(2)[number : number + 1]}, files[name])
    model = nn.Linear(2, 1, bias=False)
    experts = load_experts(files, model=model)
    search_weights(model, experts, lambda layer: -float((layer.weight.detach()[0] - torch.tensor([0.6, 0.4])).norm()))
    assert model.weight.detach()[0].numpy() == pytest.approx([0.6, 0.4], abs=0.02)


@pytest.fixture
def classifiers(tmp_path, tiny_bert):
    """Two classifiers in folders, the second with its labels turned round."""
    for number, names in enumerate((LABELS, LABELS[::-1])):
        torch.manual_seed(number)
        config = BertConfig.from_pretrained(tiny_bert, num_labels=3, id2label=dict(enumerate(names)))
        BertForSequenceClassification(config).save_pretrained(tmp_path / f"c{number}")
    return [tmp_path / "c0", tmp_path / "c1"]


def test_labels_are_put_into_the_models_order(classifiers, tiny_bert):
    model, other = map(BertForSequenceClassification.from_pretrained, classifiers)
    before = copy.deepcopy(other)
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    answers = ["calm", "glad"]
    theirs = evaluate(other, tokenizer, ["a merry tale", "is the kettle warm?"], answers)
    for given in (classifiers[1], other):
        experts = load_experts({"c0": classifiers[0], "c1": given}, model=model)
        merge(model, experts, {"c0": 0.0, "c1": 1.0})
        ours = evaluate(model, tokenizer, ["a merry tale", "is the kettle warm?"], answers)
        assert ours.predictions == theirs.predictions
        assert ours.label_scores[:, ::-1] == pytest.approx(theirs.label_scores, abs=1e-5)
    assert torch.equal(parameters(before), parameters(other))


def test_folders_of_the_models_own_class_are_loaded(tmp_path, tiny_bert):
    config = BertConfig.from_pretrained(tiny_bert, num_labels=4)
    for seed in range(2):
        torch.manual_seed(seed)
        BertForTokenClassification(config).save_pretrained(tmp_path / f"ner{seed}")
    model = BertForTokenClassification(config)
    experts = load_experts([tmp_path / "ner0", tmp_path / "ner1"], model=model)
    merge(model, experts, [0.0, 1.0])
    assert torch.equal(parameters(model), parameters(BertForTokenClassification.from_pretrained(tmp_path / "ner1")))


def test_preflight_finds_what_cannot_be_merged(classifiers, tiny_bert):
    for folder in classifiers:
        AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(folder)
    result = preflight(classifiers)
    assert [finding.check for finding in result.of("refusal")] == ["label order"]
    with pytest.raises(MergeError, match="label order"):
        result.check()


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        (lambda model, experts: load_experts([], model=model), MergeError, "at least one expert"),
        (lambda model, experts: load_experts(["nowhere/at/all"], model=model), ModelError, "there is no folder"),
        (lambda model, experts: load_experts([nn.Linear(2, 2)], model=model), MergeError, "other parameters"),
        (lambda model, experts: load_experts(experts, model=nn.Linear(2, 2)), MergeError,
         "not a model of Transformers"),
        (lambda model, experts: merge(model, load_experts(experts, model=model), [1.0]), MergeError, "one weight for"),
        (lambda model, experts: merge(model, load_experts(experts, model=model), method="tiess"), ConfigurationError,
         "unknown merge 'tiess'"),
        (lambda model, experts: merge(model, load_experts(experts, model=model), method="ties"), MergeError, "parent"),
        (lambda model, experts: merge(model, load_experts(experts, model=model), density=0.5), MergeError,
         "no setting 'density': it has none"),
        (lambda model, experts: merge(model, load_experts(experts, model=model), method="ties", densty=0.5), MergeError,
         r"no setting 'densty' \(did you mean density\?\): it has aggregate, density, "),
        (lambda model, experts: search_weights(model, load_experts(experts, model=model), lambda model: None),
         SearchError, "the score function returned None: expected a number or an evaluation"),
        (lambda model, experts: merge(nn.Linear(2, 2), load_experts(experts, model=model)), MergeError, "parameters"),
    ],
)  # fmt: skip
def test_mistakes_are_named(folders, fault, error, words):
    with pytest.raises(error, match=words):
        fault(llama(0), folders[1:])


@pytest.mark.parametrize("mistake", [["a", "b"], nn.Linear(2, 2)])
def test_what_is_not_experts_is_named(mistake):
    with pytest.raises(MergeError, match=f"what load_experts returned.* not a {type(mistake).__name__}"):
        _check_experts(mistake)  # types are checked before it in tests, not in a user's program


def test_numbers_that_are_not_finite_are_refused():
    broken = llama(1)
    next(broken.parameters()).data[0, 0] = float("nan")
    with pytest.raises(MergeError, match="expert 'expert_1': 1 weights are NaN"):
        load_experts([broken], model=llama(0))
