"""Studies whose experts are LoRA factors: what is stored, how it goes on, what is merged and exported."""

import dataclasses
import json

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from dfwe.config.tasks import tasks_of
from dfwe.errors import ConfigurationError
from dfwe.families.base import ModelFamily
from dfwe.merging.expert_array import Layout, flat_weights, load_experts, save_weights
from dfwe.run_study import run_study
from dfwe.stages.train import TrainStage, weights_file
from dfwe.studies.plan import plan_study
from dfwe.sweeps.cost_estimates import CostEstimator
from dfwe.sweeps.memory_estimates import memory_of

peft = pytest.importorskip("peft", reason="the extra lora is not installed")

SIZES = "hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, num_key_value_heads: 1, intermediate_size: 32"
SIZES += ", initializer_range: 0.5"  # enough for models to differ in their answers
SMALL = (
    "+target=meld",
    "sources=[emory_emotion]",
    "model.pretrain=null",
    "model.source.vocab_size=400",
    f"model.source.config={{{SIZES}}}",
    "model.lora.rank=2",
    "model.max_source_tokens=64",
    "data.max_truncated_fraction=1",
    "trainer.train={epochs: 2, learning_rate: 0.02}",
    "trainer.finetune={epochs: 2, learning_rate: 0.02}",
    "trainer.precision=32-true",
    "trainer.threads=1",
    "merge.search.budget=4",
    "baselines=[]",
    "diagnostics=[]",
)
ADAPTER_FILES = {"adapter_config.json", "adapter_model.safetensors"}


class Killed(Exception):
    pass


@pytest.fixture(scope="module")
def config(composed, small_overrides):
    """A function from a store's folder and further overrides to the configuration."""
    few = [override for override in small_overrides if override.startswith("data.generator")]
    return lambda store, *more: composed("model=llama_toy_lora", *SMALL, *few, f"paths.store={store}", *more)


@pytest.fixture(scope="module")
def ran(config, tmp_path_factory):
    """The run's folder and the planned study of a small study that has run."""
    folder, store = tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("store")
    run_study(config(store), folder=folder)
    return folder, plan_study(config(store))


def base_of(study):
    return study.family.model((study.target,))


def entry_of(study, stage):
    return stage.result(study.family.context.store)


def test_an_expert_is_stored_as_factors_that_peft_loads(ran):
    _, study = ran
    stage = study.experts["meld"]
    entry = entry_of(study, stage)
    assert set(entry.card.files) >= ADAPTER_FILES
    assert not list(entry.folder.glob("weights*"))
    assert entry.folder.joinpath("adapter_model.safetensors").stat().st_size < weight_bytes(base_of(study)) / 2
    theirs = peft.PeftModel.from_pretrained(base_of(study), entry.folder).eval()
    ids = torch.arange(20).view(2, 10)
    torch.testing.assert_close(theirs(ids).logits, stage.model(entry)(ids).logits, rtol=1e-4, atol=1e-5)
    assert any(bool(factor.any()) for name, factor in theirs.state_dict().items() if ".lora_B." in name)


def weight_bytes(model):
    return sum(parameter.nbytes for parameter in model.parameters())


def test_stored_answers_are_those_of_pefts_model(ran):
    _, study = ran
    scorer = study.family.scorer(study.target, split="dev")
    for stage in (*study.trained.values(), *study.experts.values(), study.baseline):
        entry = entry_of(study, stage)
        theirs = peft.PeftModel.from_pretrained(base_of(study), entry.folder).merge_and_unload().eval()
        assert scorer(theirs).predictions == stage.dev(entry).predictions


def test_a_fine_tuning_goes_on_with_the_factors(ran, tmp_path, monkeypatch):
    _, study = ran
    stage, begun = study.experts["emory_emotion"], []
    monkeypatch.setattr("dfwe.stages.train.fit_expert", lambda module, **_: begun.append(module) or pytest.skip())
    with pytest.raises(pytest.skip.Exception):
        stage.make(tmp_path, tell=lambda share: None)
    state = begun[0].model.state_dict()
    for name, factor in load_file(weights_file(entry_of(study, stage.start))).items():
        mine = name.removeprefix("base_model.model.").replace(".weight", ".default.weight")
        assert torch.equal(state[mine], factor)


def test_all_experts_draw_the_same_factors_first(ran):
    _, study = ran
    modules = [stage.module() for stage in study.trained.values()]
    states = [{n: p for n, p in module.model.named_parameters() if p.requires_grad} for module in modules]
    assert all(torch.equal(states[0][name], state[name]) for state in states for name in states[0])
    other = dataclasses.replace(study.baseline, seed=1).module().model.state_dict()
    assert not all(torch.equal(other[name], tensor) for name, tensor in states[0].items())


@pytest.mark.parametrize("checkpointing", [False, True])
def test_training_is_reproducible_and_resumes_bit_for_bit(config, ran, tmp_path, monkeypatch, checkpointing):
    more = ("trainer.finetune.epochs=3", f"model.family.gradient_checkpointing={str(checkpointing).lower()}")
    store = ran[1].family.context.store.root
    stage = plan_study(config(store, "model.lora.dropout=0.2", *more)).baseline
    folders = {name: tmp_path / name for name in ("whole", "again", "killed")}
    for folder in folders.values():
        folder.mkdir()
    result, _ = stage.make(folders["whole"], tell=lambda share: None)
    stage.make(folders["again"], tell=lambda share: None)
    with monkeypatch.context() as patched:
        patched.setattr(ModelFamily, "scorer", killed_after(2))
        with pytest.raises(Killed):
            stage.make(folders["killed"], tell=lambda share: None)
    assert (folders["killed"] / "last.ckpt").stat().st_size < 3 * weight_bytes(base_of(ran[1]))
    state = torch.load(folders["killed"] / "last.ckpt", weights_only=True)["state_dict"]
    assert {name.partition(".lora_")[1] for name in state} == {".lora_"}
    resumed, _ = stage.make(folders["killed"], tell=lambda share: None)
    assert {**resumed, "seconds": 0} == {**result, "seconds": 0}
    factors = [load_file(folder / "adapter_model.safetensors") for folder in folders.values()]
    assert all(torch.equal(other[name], tensor) for other in factors for name, tensor in factors[0].items())
    configs = {(folder / "adapter_config.json").read_bytes() for folder in folders.values()}
    assert len(configs) == 1


def killed_after(epochs):
    """The family's scorer, which ends the process's training at the evaluation after so many."""
    scorer, calls = ModelFamily.scorer, []

    def scorer_of(family, objective, *, split):
        whole = scorer(family, objective, split=split)

        def score(model, **options):
            calls.append(split)
            if calls.count("dev") > epochs:
                raise Killed
            return whole(model, **options)

        return score if split == "dev" else whole

    return scorer_of


def test_a_merge_equals_that_of_whole_models(ran, tmp_path):
    _, study = ran
    stage = study.merges["uniform"]
    wholes = {}
    for name, expert in study.experts.items():
        save_weights(expert.model(entry_of(study, expert)), tmp_path / f"{name}.safetensors")
        wholes[name] = tmp_path / f"{name}.safetensors"
    layout = Layout.of(study.family.model(tasks_of(stage.target)))
    dense = load_experts(wholes, layout=layout).weights.mean(0)
    torch.testing.assert_close(flat_weights(stage.model(entry_of(study, stage))), dense, rtol=1e-5, atol=1e-6)


def test_trained_factors_can_be_combined_as_peft_does(config, ran):
    study = plan_study(config(ran[1].family.context.store.root, "merge.lora=factors"))
    names = {f"nelder_mead_peft_{way}" for way in ("linear", "svd")}
    assert names <= study.models.keys()
    assert all(study.models[name].dev(entry_of(study, study.models[name])) for name in names)


def test_exports_are_whole_models_with_equal_answers(ran):
    folder, study = ran
    name = json.loads((folder / "results.json").read_text())["recommended"]["name"]
    for exported, model in (("best", study.models[name]), ("merged", study.models["nelder_mead"])):
        assert not (folder / exported / "adapter_config.json").exists()
        plain, ours = AutoModelForCausalLM.from_pretrained(folder / exported), model.model(entry_of(study, model))
        assert all(torch.equal(plain.state_dict()[key], tensor) for key, tensor in ours.state_dict().items())
        scorer = study.family.scorer(study.target, split="dev")
        assert scorer(plain).predictions == scorer(ours).predictions


def test_other_settings_make_another_expert(config, tmp_path):
    stages = {
        setting: plan_study(config(tmp_path, setting)).baseline
        for setting in (
            "model.lora.rank=16",
            "model.lora.rank=4",
            "model.lora.targets=[q_proj,v_proj]",
            "model.lora=null",
        )
    }
    assert len({stage.digest for stage in stages.values()}) == 4
    assert "lora" not in stages["model.lora=null"].spec()
    orders = [plan_study(config(tmp_path, f"model.lora.targets={each}")).baseline for each in ("[a,b]", "[b,a]")]
    assert orders[0].digest == orders[1].digest


def test_without_lora_digests_are_those_of_the_model(config, composed, small_overrides, tmp_path):
    few = [override for override in small_overrides if override.startswith("data.generator")]
    settings = [setting for setting in SMALL if "model.lora" not in setting]
    plain = plan_study(composed("model=llama_toy", *settings, *few, f"paths.store={tmp_path}"))
    null = plan_study(config(tmp_path, "model.lora=null", "trainer=llama_toy"))
    assert [stage.digest for _, stage in null.stages()] == [stage.digest for _, stage in plain.stages()]


def test_estimates_keep_factors_and_whole_models_apart(config, ran):
    _, study = ran
    store = study.family.context.store.root
    estimator = CostEstimator(store)
    again = plan_study(config(store, "seed=1"))
    whole = plan_study(config(store, "seed=1", "model.lora=null"))
    assert estimator.cost(again.baseline).bytes == pytest.approx(entry_bytes(study, study.baseline), rel=0.2)
    assert estimator.cost(whole.baseline).num == 0


def entry_bytes(study, stage):
    return sum(file["bytes"] for file in entry_of(study, stage).card.files.values())


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("model=bert_toy_classifier", "+model/lora=all_linear"), "models of the family classifier train all their"),
        (("model=bert_toy", "+model/lora=all_linear"), "models of the family multi_head train all their weights"),
    ],
)
def test_families_with_heads_refuse_lora(composed, tmp_path, overrides, message):
    target = ("+target=meld", "sources=[emory_emotion]")
    if "bert_toy" in overrides[0] and "classifier" not in overrides[0]:
        target = ("+target=toy_sentiment", "sources=[toy_paraphrase]", "data=toy_multitask")
    with pytest.raises(ConfigurationError, match=message):
        plan_study(composed(*target, *overrides, f"paths.store={tmp_path}"))


def test_every_training_of_a_lora_study_is_of_factors(ran):
    _, study = ran
    trainings = [stage for _, stage in study.stages() if isinstance(stage, TrainStage)]
    assert len(trainings) == 7
    assert all(stage.lora == study.family.settings.lora for stage in trainings)


def test_an_encoder_decoder_trains_factors_too(small, tmp_path):
    study = plan_study(small(tmp_path, "+model/lora=all_linear", "model.lora.rank=2"))
    stage = study.baseline
    entry = entry_of(study, stage)
    theirs = peft.PeftModel.from_pretrained(base_of(study), entry.folder).merge_and_unload().eval()
    scorer = study.family.scorer(study.target, split="dev")
    assert scorer(theirs).predictions == stage.dev(entry).predictions
    assert scorer(stage.model(entry)).predictions == stage.dev(entry).predictions


def test_a_target_that_matches_nothing_ends_before_training(config, ran, tmp_path):
    store = ran[1].family.context.store.root
    stage = plan_study(config(store, "model.lora.targets=[q_proj,query]")).baseline
    with pytest.raises(ValueError, match="the model has no module 'query'"):
        stage.make(tmp_path, tell=lambda share: None)
    assert not list(tmp_path.iterdir())


def test_memory_counts_factors_and_frozen_weights(config, ran):
    study = plan_study(config(ran[1].family.context.store.root))
    stage = next(iter(study.trained.values()))
    model = stage.module().model
    frozen = sum(parameter.numel() for parameter in model.parameters() if not parameter.requires_grad)
    factors = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    adam, checkpoint = 2, stage.family.context.trainer["checkpoint"]
    assert memory_of(stage) == 4 * (frozen + factors * (2 + adam + (1 + adam) * checkpoint))
    merge = next(merge for name, merge in study.merges.items() if name != "uniform")
    assert not merge.method.properties.needs_parent
    assert memory_of(merge) == 4 * (3 * frozen + len(merge.experts) * factors)
    on_disk = dataclasses.replace(merge, config={**merge.config, "experts_in": "disk"})
    assert memory_of(on_disk) == 4 * (2 * frozen + len(merge.experts) * factors)
