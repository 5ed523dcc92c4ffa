"""Studies of experts that were trained elsewhere."""

import importlib.util
import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    LlamaForCausalLM,
)

from dfwe.config.compose import compose_study
from dfwe.errors import ConfigurationError, ModelError
from dfwe.families.causal_lm.weights import FreshLlama
from dfwe.families.encoder.weights import FreshBert
from dfwe.merging.adapter_combinations import combine_adapters
from dfwe.merging.engine import prepare_merge
from dfwe.merging.expert_array import Layout, flat_weights
from dfwe.models.adapters import AdaptedCheckpoint
from dfwe.models.checkpoint import Checkpoint
from dfwe.models.external import ExternalModel
from dfwe.models.loading import load_weights_of
from dfwe.predict import load
from dfwe.run_study import run_study
from dfwe.studies.plan import load_plan, plan_study

LABELS = ["anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise"]
TEXTS = ["I feel glad.", "That makes me furious.", "What is the emotion of the last line?"]
SHORT = ["+target=meld", "merge.search.budget=3", "report=false", "trainer.threads=1", "diagnostics=[leave_one_out]"]


@pytest.fixture
def settings(tmp_path):
    """Overrides of every study here; of 300 words a token is about a letter, so contexts are short."""
    data = ["data.max_words=16", *(f"data.generator.num_{split}=8" for split in ("train", "dev", "test"))]
    return [*SHORT, *data, f"paths.store={tmp_path}/store"]


@pytest.fixture(scope="module")
def decoders(tmp_path_factory):
    """The base model and three tiny Llamas near it, as folders that no test changes."""
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1}
    base = tmp_path_factory.mktemp("decoders") / "base"
    FreshLlama(300, {**shape, "intermediate_size": 32}).build(base, seed=0, texts=TEXTS)
    return [base, *_around(base, LlamaForCausalLM, num=3)]


@pytest.fixture
def classifiers(tmp_path):
    """Three tiny BERTs with heads, the last with its labels in another order; their encoder is the base model."""
    base = tmp_path / "base"
    FreshBert(
        300, {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    ).build(base, seed=0, texts=TEXTS)
    config = BertConfig.from_pretrained(base, id2label=dict(enumerate(LABELS)), num_labels=len(LABELS))
    torch.manual_seed(0)
    network = BertForSequenceClassification(config)
    network.bert.load_state_dict(BertModel.from_pretrained(base, add_pooling_layer=True).state_dict())
    network.save_pretrained(tmp_path / "network")
    AutoTokenizer.from_pretrained(base).save_pretrained(tmp_path / "network")
    folders = _around(tmp_path / "network", BertForSequenceClassification, num=3)
    last = BertForSequenceClassification.from_pretrained(folders[-1])
    last.config.id2label = dict(enumerate(reversed(LABELS)))
    last.config.label2id = {label: number for number, label in last.config.id2label.items()}
    for parameter in last.classifier.parameters():
        parameter.data = parameter.data.flip(0)
    last.save_pretrained(folders[-1])
    return [base, *folders]


def _around(base, kind, *, num):
    folders = []
    for number in range(num):
        torch.manual_seed(number + 1)
        model = kind.from_pretrained(base)
        for parameter in model.parameters():
            parameter.data += 0.1 * torch.randn_like(parameter)
        folders.append(base.parent / f"expert_{number}")
        model.save_pretrained(folders[-1])
        AutoTokenizer.from_pretrained(base).save_pretrained(folders[-1])
    return folders


def experts(folders):
    return f"+experts=[{','.join(map(str, folders))}]"


def rows_of(folder):
    return {row["name"]: row for row in json.loads((folder / "results.json").read_text())["models"]}


def test_decoders_are_merged_and_the_base_model_is_the_baseline(decoders, settings, tmp_path):
    base, *folders = decoders
    config = compose_study([*settings, experts(folders), f"base_model={base}", "merge=task_arithmetic"])
    run_study(config, folder=tmp_path)
    rows = rows_of(tmp_path)
    names = ["expert_0", "expert_1", "expert_2"]
    assert list(rows) == ["baseline", *names, "random", "ensemble", "uniform", "task_arithmetic"]
    assert rows["baseline"]["title"] == "base model"
    assert rows["expert_1"]["external"] == str(folders[1])
    assert all(row["cost"]["train_steps"] == 0 for row in rows.values())
    assert rows["uniform"]["delta"] == pytest.approx(
        rows["uniform"]["test"]["score"] - rows["baseline"]["test"]["score"]
    )
    merged = dict(LlamaForCausalLM.from_pretrained(tmp_path / "merged").named_parameters())
    parts = [dict(LlamaForCausalLM.from_pretrained(folder).named_parameters()) for folder in decoders]
    weights = [rows["task_arithmetic"]["coefficients"][name] for name in names]
    for name, tensor in merged.items():
        start, *others = [part[name] for part in parts]
        summed = sum(weight * (other - start) for weight, other in zip(weights, others, strict=True))
        assert torch.allclose(tensor, start + summed, atol=1e-5)


def test_classifiers_are_merged_with_labels_in_one_order(classifiers, settings, tmp_path):
    _, *folders = classifiers
    run_study(compose_study([*settings, experts(folders), "merge=linear"]), folder=tmp_path)
    rows = rows_of(tmp_path)
    assert "baseline" not in rows
    predictor, texts = load(tmp_path / "best"), ["Monica Vale: I feel glad."]
    assert predictor.labels == tuple(LABELS)
    assert sum(predictor.probabilities(texts)[0].values()) == pytest.approx(1)
    alone = plan_study(compose_study([*settings, experts([folders[-1]]), "merge=linear"]))
    ours = alone.trained["expert_2"].result(alone.family.context.store)
    network = alone.family.plain_network(alone.trained["expert_2"].model(ours))
    theirs = BertForSequenceClassification.from_pretrained(folders[-1])
    assert torch.equal(network.classifier.weight, theirs.classifier.weight.flip(0))


@pytest.mark.parametrize("merge", ["linear", "ties"])
def test_loras_are_merged_by_their_factors(decoders, settings, tmp_path, adapter, merge):
    base = decoders[0]
    layout = Layout.of(LlamaForCausalLM.from_pretrained(base))
    folders = [adapter(f"lora_{seed}", layout, rank=2, seed=seed, alpha_pattern={"q_proj": 3}) for seed in range(3)]
    config = compose_study([*settings, experts(folders), f"base_model={base}", f"merge={merge}"])
    study = plan_study(config)
    store = study.family.context.store
    for name, stage in study.trained.items():
        files = stage.result(store).card.files
        assert "weights.safetensors" not in files
        assert files["adapter_model.safetensors"]["bytes"] < LlamaForCausalLM.from_pretrained(base).num_parameters()
        expected = AdaptedCheckpoint(Checkpoint(base), tmp_path / name)
        for key, tensor in stage.model(stage.result(store)).named_parameters():
            assert torch.equal(tensor, expected.tensor(key))
    stage = study.merges[merge]
    array = stage.expert_array()
    assert array.weights.shape[0] == 0
    dense = replace(array, weights=_rows(array), adapters=(), base=None)
    coefficients = stage.result(store).card.result["coefficients"]
    coefficients = coefficients | unequal(study)  # whatever was selected
    out, space = torch.empty(layout.size), stage.space(layout)
    point = space.parse(coefficients)
    prepare_merge(stage.method, dense)(space.matrix(point), space.values_of_settings(point), out)
    torch.testing.assert_close(flat_weights(stage.model_at(coefficients)), out, rtol=1e-5, atol=1e-5)


def test_loras_of_classifiers_are_stored_as_factors(classifiers, settings, tmp_path, adapter):
    base, network = classifiers[0], BertForSequenceClassification.from_pretrained(classifiers[1])
    layout = Layout.of(network)
    whole = ("classifier.weight", "classifier.bias")
    folders = [adapter(f"lora_{seed}", layout, rank=2, whole=whole, seed=seed) for seed in range(2)]
    arguments = [*settings, experts(folders), f"base_model={base}", "model=classifier", f"model.source.name={base}"]
    study = plan_study(compose_study([*arguments, "merge=linear"]))
    store = study.family.context.store
    for name, stage in study.trained.items():
        entry = stage.result(store)
        assert {"adapter_config.json", "adapter_model.safetensors"} <= entry.card.files.keys()
        expected = study.family.model((study.target,))
        study.family.copy_external(expected, ExternalModel(str(tmp_path / name)))
        ours = dict(stage.model(entry).named_parameters())
        assert all(torch.equal(tensor, ours[key]) for key, tensor in expected.named_parameters())
        assert not torch.equal(_flat(expected), _flat(study.family.model((study.target,))))
    assert study.merges["linear"].expert_array().weights.shape[0] == 0


def test_a_lora_without_a_head_has_that_of_its_base_model(classifiers, settings, tmp_path, adapter, caplog):
    encoder, base, _, other = classifiers
    layout = Layout.of(BertForSequenceClassification.from_pretrained(base).bert)
    folders = [str(adapter(f"lora_{seed}", layout, rank=2, seed=seed)) for seed in range(2)]
    arguments = [*settings, experts(folders), "model=classifier", "merge=ties"]
    for start in (base, other):  # the other has its labels in another order
        study = plan_study(compose_study([*arguments, f"base_model={start}", f"model.source.name={start}"]))
        head = BertForSequenceClassification.from_pretrained(start).classifier.weight
        head = head if start == base else head.flip(0)
        network = study.family.plain_network(study.family.model((study.target,)))
        assert torch.equal(network.classifier.weight, head)  # where task vectors start
        stage = study.trained["lora_0"]
        network = study.family.plain_network(stage.model(stage.result(study.family.context.store)))
        assert torch.equal(network.classifier.weight, head)
    study = plan_study(compose_study([*arguments, f"base_model={encoder}", f"model.source.name={encoder}"]))
    with pytest.raises(ModelError, match="is a LoRA without classifier.bias.* of the head, and the base model has no"):
        study.trained["lora_0"].result(study.family.context.store)


def test_a_files_labels_stand_in_the_configuration_beside_it(classifiers, settings, caplog):
    _, *folders = classifiers
    files = [folder / "model.safetensors" for folder in folders[1:]]
    arguments = [*settings, experts(files), f"base_model={folders[0]}"]
    study = plan_study(compose_study(arguments))
    store = study.family.context.store
    for stage, folder in zip(study.trained.values(), folders[1:], strict=True):
        (folder / "config.json").rename(folder / "kept.json") if folder == folders[1] else None
        ours = study.family.plain_network(stage.model(stage.result(store))).classifier.weight
        theirs = load_file(folder / "model.safetensors")["classifier.weight"]
        assert torch.equal(ours, theirs.flip(0) if folder == folders[-1] else theirs)
    assert "does not name its labels: its outputs are taken as" in caplog.text


def test_pefts_combinations_are_rows_beside_the_merge(decoders, settings, tmp_path, adapter, caplog):
    base, layout = decoders[0], Layout.of(LlamaForCausalLM.from_pretrained(decoders[0]))
    folders = [adapter(f"lora_{seed}", layout, rank=2, seed=seed) for seed in range(2)]
    arguments = [*settings, f"base_model={base}", "merge=linear", "merge.lora=factors", "merge.selection=uniform"]
    run_study(compose_study([*arguments, experts(folders)]), folder=tmp_path / "run")
    rows, study = rows_of(tmp_path / "run"), plan_study(compose_study([*arguments, experts(folders)]))
    for way in ("linear", "svd"):
        row, stage = rows[f"linear_peft_{way}"], study.baselines[f"linear_peft_{way}"]
        assert {"dev", "test", "delta"} <= row.keys()
        entry = stage.result(study.family.context.store)
        assert entry.card.result["coefficients"] == rows["linear"]["coefficients"]
        array = study.merges["linear"].expert_array()
        ours = combine_adapters(array, [[0.5, 0.5]] * len(layout.names), combination=way)
        parent = layout.views(array.base)
        for key, tensor in stage.model(entry).named_parameters():
            expected = ours[key].added_to(parent[key]) if key in ours else parent[key]
            torch.testing.assert_close(tensor.detach(), expected)
    folders.append(adapter("lora_3", layout, rank=3))
    plan = plan_study(compose_study([*arguments, experts(folders)]))
    assert [name for name in plan.baselines if "peft" in name] == ["linear_peft_svd"]
    assert "no linear_peft_linear: PEFT needs adapters of one rank for it, these have 2, 3" in caplog.text


def test_factors_of_what_is_not_lora_are_refused(decoders, settings, adapter):
    base, layout = decoders[0], Layout.of(LlamaForCausalLM.from_pretrained(decoders[0]))
    arguments = [*settings, f"base_model={base}", "merge=linear", "merge.lora=factors"]
    plain, whole = adapter("lora", layout), adapter("whole", layout, whole=("norm.weight",))
    with pytest.raises(ConfigurationError, match="expert_0 is a whole model: set merge.lora=products"):
        plan_study(compose_study([*arguments, experts([plain, decoders[1]])]))
    with pytest.raises(ConfigurationError, match=r"whole has .*norm\.weight as a whole tensor"):
        plan_study(compose_study([*arguments, experts([plain, whole])]))


def unequal(study):
    return dict(zip(study.trained, (0.5, 0.3, 0.2), strict=True))


def _flat(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def _rows(array):
    return torch.stack([torch.cat([t.flatten() for t in of]) for of in zip(*array.tensors(), strict=True)])


def test_another_run_trains_and_copies_nothing(decoders, settings, tmp_path):
    base, *folders = decoders
    arguments = [*settings, experts(folders[:2]), f"base_model={base}", "baselines=[]", "diagnostics=[]"]
    run_study(compose_study(arguments), folder=tmp_path / "a")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "store").glob("*/card.json")}
    run_study(compose_study(arguments), folder=tmp_path / "b")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "store").glob("*/card.json")} == before
    assert rows_of(tmp_path / "a") == rows_of(tmp_path / "b")


def test_subsets_of_experts_are_numbered(decoders, settings):
    _, *folders = decoders
    arguments = [*settings, experts(folders), "subset.size=2"]
    names = [load_plan(compose_study([*arguments, f"subset.number={number}"])).name[1] for number in range(3)]
    assert names == [("expert_0", "expert_1"), ("expert_0", "expert_2"), ("expert_1", "expert_2")]


def test_experts_from_elsewhere_have_no_baseline_that_is_trained(decoders, settings):
    trained = "baselines=[same_compute,multitask,seed_soup,checkpoint_average,lora_baseline]"
    assert not plan_study(compose_study([*settings, experts(decoders[1:]), trained])).baselines


def test_task_vectors_need_the_base_model(decoders, settings):
    with pytest.raises(ConfigurationError, match="merge=ties works on the differences .*set base_model="):
        load_plan(compose_study([*settings, experts(decoders[1:]), "merge=ties"]))


@pytest.mark.parametrize("form", ["task vectors", "loras"])
def test_a_base_model_that_nothing_starts_from_is_refused(decoders, settings, adapter, form):
    base, *folders = decoders
    lora = adapter("lora", Layout.of(LlamaForCausalLM.from_pretrained(base)), rank=2)
    given = [experts(folders), "merge=ties"] if form == "task vectors" else [experts([*folders, lora])]
    for arguments in ([f"base_model={base}/model.safetensors"], [f"base_model={base}", "model=llama_toy"]):
        with pytest.raises(ConfigurationError, match="starts from model.source .*other weights than base_model="):
            load_plan(compose_study([*settings, *given, *arguments]))


def test_loras_are_not_added_to_an_expert(decoders, settings, adapter):
    base, *folders = decoders
    lora = adapter("lora", Layout.of(LlamaForCausalLM.from_pretrained(base)), rank=2)
    with pytest.raises(ConfigurationError, match="the LoRA lora would be added to .*expert_0, an expert: set base_mod"):
        load_plan(compose_study([*settings, experts([folders[0], lora])]))


def test_a_base_without_label_names_brings_its_head(classifiers, settings):
    _, base, *folders = classifiers
    named = BertForSequenceClassification.from_pretrained(base)
    named.config.id2label = {number: f"LABEL_{number}" for number in range(len(LABELS))}
    named.save_pretrained(base)
    study = plan_study(compose_study([*settings, experts(folders), f"base_model={base}", "merge=ties"]))
    network = study.family.plain_network(study.family.model((study.target,)))
    assert torch.equal(network.classifier.weight, named.classifier.weight)


def test_multi_label_experts_are_a_warning(classifiers, settings, caplog):
    folders = classifiers[1:3]
    for folder in folders:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "problem_type": "multi_label_classification"}))
    study = plan_study(compose_study([*settings, experts(folders)]))
    study.family.check_external(ExternalModel(str(folders[0])))
    assert "gives several labels per example: here, and in exported models, the most likely one" in caplog.text


def test_labels_that_are_others_are_refused(classifiers, settings):
    _, *folders = classifiers
    other = BertForSequenceClassification.from_pretrained(folders[0])
    other.config.id2label = dict(enumerate("abcdefg"))
    other.config.label2id = {label: number for number, label in other.config.id2label.items()}
    other.save_pretrained(folders[0])
    study = plan_study(compose_study([*settings, experts(folders[:2])]))
    with pytest.raises(ModelError, match="has the labels a, b, c.* the target has anger"):
        study.trained["expert_0"].result(study.family.context.store)


def test_an_expert_called_as_a_row_is_refused(decoders, settings):
    with pytest.raises(ModelError, match="experts: 'uniform' is the name of a row that every study has"):
        load_plan(compose_study([*settings, f"+experts={{uniform:{decoders[1]},b:{decoders[2]}}}"]))


def test_models_with_heads_of_their_own_are_refused(decoders, settings):
    config = compose_study([*settings, experts(decoders[1:3]), "model=bert_toy"])
    with pytest.raises(ConfigurationError, match="of the family multi_head cannot come from elsewhere"):
        load_plan(config)


def test_the_order_of_experts_changes_nothing(decoders, settings):
    base, *folders = decoders
    shared = [*settings, f"base_model={base}", "merge=dare_ties", "merge.experts_in=disk", "baselines=[random]"]
    studies = [plan_study(compose_study([*shared, experts(order)])) for order in (folders, folders[::-1])]
    first, second = (study.merges["dare_ties"] for study in studies)
    assert list(first.experts) == list(second.experts) == ["expert_0", "expert_1", "expert_2"]
    assert first.digest == second.digest
    turned = {name: first.experts[name] for name in reversed(first.experts)}
    assert replace(first, experts=turned).digest != first.digest  # masks are drawn by the experts' places
    uniform = studies[0].merges["uniform"]
    assert replace(uniform, experts=turned).digest == uniform.digest
    assert studies[0].baselines["random"].on_disk  # as all merges of a study are


@pytest.mark.parametrize("form", ["models", "loras"])
@pytest.mark.parametrize("merge", ["linear", "ties"])
def test_experts_on_disk_give_the_same_merges(decoders, settings, tmp_path, adapter, form, merge):
    base, *folders = decoders
    layout = Layout.of(LlamaForCausalLM.from_pretrained(base))
    if form == "loras":
        folders = [folders[0], *(adapter(f"lora_{seed}", layout, rank=2, seed=seed) for seed in range(2))]
    arguments = [*settings, experts(folders), f"base_model={base}", f"merge={merge}"]
    plain, study = (plan_study(compose_study([*arguments, *more])) for more in ((), ("merge.experts_in=disk",)))
    store = study.family.context.store
    for name in (merge, "uniform"):
        plain.merges[name].result(store)
        stage = study.merges[name]
        array, entry = stage.expert_array(), stage.find(store)  # there already: where experts are changes no digest
        assert array.is_on_disk
        assert array.weights.numel() == 0
        assert not array.base._rest if form == "loras" else len(array.mapped) == 3
        (folder := tmp_path / f"{name}_again").mkdir()  # one of its own: a journal that is there is gone on with
        result, _ = stage.make(folder, tell=lambda share: None)
        expected = entry.card.result
        assert result["coefficients"] == pytest.approx(expected["coefficients"])
        assert (result["picked"], result["dev"]) == (expected["picked"], expected["dev"])
        in_memory = replace(stage, config={**stage.config, "experts_in": "memory"})
        at = expected["coefficients"] | (unequal(study) if name == merge else {})  # whatever was selected
        ours, theirs = (flat_weights(each.model_at(at)) for each in (stage, in_memory))
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)


@pytest.fixture
def spread(monkeypatch):
    """spread("pieces"): models come in several pieces of main memory, or with layers that are offloaded to it."""
    accelerate = pytest.importorskip("accelerate", reason="the extra large is not installed")

    def load(auto, folder, **placement):
        assert placement["device_map"] == "auto"
        model = load_weights_of(auto, folder)
        if forms[-1] == "offloaded":
            accelerate.cpu_offload(model.model.layers, execution_device=torch.device("cpu"))
            model.hf_device_map = {"": 0, "model.layers": "cpu"}
            return model
        places = dict.fromkeys(["model.embed_tokens", "model.layers", "model.norm", "model.rotary_emb"], "cpu")
        return accelerate.dispatch_model(model, {**places, "lm_head": "cpu"}, main_device="cpu", force_hooks=True)

    forms = []
    monkeypatch.setattr("dfwe.families.text.family.load_weights_of", load)
    return forms.append


@pytest.mark.parametrize("decode", ["task", "greedy"])
def test_a_dispatched_model_gives_the_same_study(decoders, settings, tmp_path, adapter, decode, request):
    base, *folders = decoders
    folders[1] = adapter("lora", Layout.of(LlamaForCausalLM.from_pretrained(base)), rank=2)
    arguments = [*settings, experts(folders), f"base_model={base}", "merge=task_arithmetic", f"decode={decode}"]
    arguments += ["trainer.precision=32-true", "max_shard_size=20KB", "baselines=[]", "diagnostics=[]"]
    arguments += ["merge.search.budget=2"]
    run_study(plain := compose_study(arguments), folder=tmp_path / "plain")
    spread = request.getfixturevalue("spread")
    for form in ("pieces", "offloaded"):
        spread(form)
        config = compose_study([*arguments, "model.device_map=auto", f"paths.store={tmp_path}/{form}_store"])
        run_study(config, folder=tmp_path / form)
        assert scores_and_answers(tmp_path / form) == scores_and_answers(tmp_path / "plain"), form
        merges = [plan_study(each).merges["task_arithmetic"] for each in (plain, config)]
        cards = [merge.result(merge.family.context.store).card.result for merge in merges]
        assert merges[0].digest == merges[1].digest
        assert cards[0]["coefficients"] == pytest.approx(cards[1]["coefficients"])
        assert len(list((tmp_path / form / "merged").glob("*.safetensors"))) > 1
        exported = [LlamaForCausalLM.from_pretrained(tmp_path / run / "merged") for run in ("plain", form)]
        for one, two in zip(*(model.parameters() for model in exported), strict=True):
            torch.testing.assert_close(one, two, rtol=1e-6, atol=1e-6)


def scores_and_answers(folder):
    scores = {name: (row["dev"], row["test"]) for name, row in rows_of(folder).items()}
    return scores, json.loads((folder / "test_predictions.json").read_text())["models"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["model.max_memory={cpu: 20GiB}"], "set model.device_map=auto"),
        (["model.device_map=auto", "trainer.devices=2"], "scores in one process, in float32"),
        (["model.device_map=auto", "trainer.devices=auto"], "scores in one process, in float32"),
        (["model.device_map=auto", "merge=fisher"], "merge.statistics .* measured on one device alone"),
        (["model.device_map=disk"], "model.device_map=disk: expected .*auto, balanced"),
        (["model.device_map=auto", "model.max_memory={0: much}"], "model.max_memory.0=much: .*of bytes with a unit"),
    ],
)
def test_a_device_map_that_cannot_be_is_refused(decoders, settings, arguments, message):
    pytest.importorskip("accelerate", reason="the extra large is not installed")
    base, *folders = decoders
    with pytest.raises(ConfigurationError, match=message):
        plan_study(compose_study([*settings, experts(folders), f"base_model={base}", *arguments]))


def test_a_training_with_a_device_map_is_refused(settings):
    with pytest.raises(ConfigurationError, match=r"to train on several devices, set .* trainer\.strategy=ddp"):
        load_plan(compose_study([*settings, "model=llama_toy", "model.device_map=auto"]))


def test_a_device_map_names_the_package_it_needs(decoders, settings, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "accelerate" else find(name))
    with pytest.raises(ConfigurationError, match=r"run `pip install 'dfwe\[large\]'`"):
        plan_study(compose_study([*settings, experts(decoders[1:]), "model.device_map=auto"]))
