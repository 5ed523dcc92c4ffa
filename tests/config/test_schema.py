"""The configuration composes as the documentation says."""

import pytest
from hydra.errors import ConfigCompositionException

from dfwe.conf import conf_dir
from dfwe.config.task_options import read_tasks, register
from dfwe.errors import ConfigurationError
from dfwe.families.text.decoding import ReferenceDecoding

SHORT = {
    "emory_emotion",
    "reading_comprehension",
    "character_identification",
    "question_answering",
    "personality",
    "relation_extraction",
    "meld",
}


OWN = {"sst", "sts", "quora", "snli"}  # with data of their own
SCORED = {"perplexity", "lm_eval"}  # whose documents are scored as they are
TOY = {f"toy_{name}" for name in ("sentiment", "paraphrase", "similarity", "inference", "topic", "overlap")}


def test_the_seven_tasks_and_those_with_data_of_their_own_are_there():
    tasks = read_tasks()
    assert {name for name, config in tasks.items() if config.data is None} == SHORT
    assert {name for name, config in tasks.items() if config.data is not None} == OWN | TOY | SCORED


def test_tasks_of_sentences_have_a_head_and_the_seven_have_none():
    assert {name for name, config in read_tasks().items() if config.head is not None} == OWN | TOY


def test_the_toy_tasks_bring_toy_tasks(composed):
    for task in sorted(TOY):
        assert set(composed(f"+target={task}", "data=toy_multitask").sources) <= TOY - {task}


def test_three_sources_chosen_as_a_list_are_all_kept(composed):
    config = composed("+target=meld", "sources=[personality,emory_emotion,question_answering]")
    assert list(config.sources) == ["personality", "emory_emotion", "question_answering"]


@pytest.mark.parametrize("task", sorted(SHORT))
def test_every_target_brings_three_sources_of_its_own(composed, task):
    config = composed(f"+target={task}")
    assert list(config.target) == [task]
    assert len(config.sources) == 3
    assert task not in config.sources


def test_long_names_work_for_targets_and_sources(composed):
    config = composed("+target=MELD_emotion_recognition", "sources=[emory_emotion_recognition,personality_detection]")
    assert (list(config.target), list(config.sources)) == (["meld"], ["emory_emotion", "personality"])


def test_all_is_every_task_of_the_corpus_and_leaves_the_target_out_by_itself(composed):
    config = composed("+target=meld", "sources=all")
    assert set(config.sources) == SHORT
    assert config.sources_without_target


def test_a_named_composition_is_a_set_of_tasks(composed):
    assert list(composed("+target=personality", "sources=emotions").sources) == ["emory_emotion", "meld"]


@pytest.mark.parametrize("task", sorted(OWN))
def test_tasks_with_data_of_their_own_bring_each_other(composed, task):
    assert set(composed(f"+target={task}", "data=files").sources) == OWN - {task}
    assert set(composed(f"+target={task}", "data=files", "sources=multitask").sources) == OWN


def test_where_a_task_finds_its_files_is_said_for_all_or_for_one(composed):
    config = composed("+target=sst", "data=files", "data.files=here", "sources=[snli]", "sources.snli.data.root=there")
    assert (config.data.files, config.target.sst.data.root, config.sources.snli.data.root) == ("here", None, "there")


@pytest.mark.parametrize("shots", ["{meld: 5, personality: 0.1}", "5", "0.1", "all", "8 per class"])
def test_shots_are_one_amount_or_one_a_task(composed, shots):
    assert composed("+target=meld", f"data.shots={shots}").data.shots is not None


def test_rule_search_and_budget_are_chosen_apart(composed):
    merge = composed("+target=meld", "merge=ties", "merge/search=cma", "merge.search.budget=9").merge
    assert merge.method["_target_"] == "dfwe.merging.methods.sparse.Ties"
    assert (merge.search.optimizer, merge.search.budget) == ("CMA", 9)


def test_a_model_brings_its_own_trainer_and_another_can_be_chosen(composed):
    assert composed("+target=meld", "model=flan_t5_base").trainer.accumulate == 3
    assert composed("+target=meld", "model=flan_t5_base", "trainer=minilm").trainer.accumulate == 1


def test_the_papers_experiment_sets_its_table_1(composed):
    config = composed("experiment=dfwe_paper", "+target=meld", "data.root=somewhere")
    trainer, search = config.trainer, config.merge.search
    assert config.model.source.name == "google/flan-t5-base"
    assert config.model.max_source_tokens == config.data.max_words == 512
    assert trainer.optimizer["_target_"] == "torch.optim.Adam"
    assert (trainer.precision, trainer.batch_size, trainer.batch_size * trainer.accumulate) == ("32-true", 8, 24)
    assert {(fit.epochs, fit.learning_rate) for fit in (trainer.train, trainer.finetune)} == {(5, 1e-4)}
    assert (search.budget, search.adaptive, len(config.sources)) == (40, True, 3)
    assert config.merge.selection["_target_"] == "dfwe.search.selection.Argmax"
    assert config.decode == "reference"


def test_a_learning_curve_leaves_its_sources_their_tenth(composed):
    config = composed("experiment=friends_curve", "+target=meld", "data.shots.meld=8 per class", "data.root=somewhere")
    assert dict(config.data.shots) == {"meld": "8 per class", "others": 0.1}
    assert config.model == composed("experiment=friends_classifier", "+target=meld", "data.root=somewhere").model


def test_several_seeds_of_heads_are_that_study(composed):
    data, one = "data.files=somewhere", composed("experiment=cuts_and_stitches_minilm", "data.files=somewhere")
    assert one != composed("experiment=multitask_minilm", data)
    one.trainer.threads = 1
    assert one == composed("experiment=multitask_minilm", data)


def test_smollm2_has_few_examples_and_lora(composed):
    config = composed("experiment=friends_smollm2", "+target=meld", "data.root=somewhere")
    assert (config.data.shots, config.model.lora.rank > 0, config.trainer.finetune.epochs) == (64, True, 2)


def test_the_references_decoding_is_that_of_the_benchmarks_code(composed):
    found = ReferenceDecoding(**composed("+target=meld").decoding.reference)
    assert (found.do_sample, found.num_beams, found.repetition_penalty, found.max_length) == (True, 2, 5.0, 20)


@pytest.mark.parametrize(
    "override",
    ["trainer.train.epoch=3", "paths.stor=x", "merge.serach.budget=3", "sede=1", "decoding_comparison=greedy"],
)
def test_a_misspelt_key_or_a_wrong_type_fails_when_composing(composed, override):
    with pytest.raises(ConfigCompositionException):
        composed("+target=meld", override)


def test_a_users_task_becomes_a_target_and_a_source(composed, tmp_path):
    (tmp_path / "task").mkdir()
    text = (conf_dir() / "task" / "meld.yaml").read_text().replace("MELD_emotion_recognition", "moods")
    (tmp_path / "task" / "mood.yaml").write_text(text)
    register([tmp_path])
    here = f"hydra.searchpath=[file://{tmp_path}]"  # what --config-dir does
    assert list(composed("+target=mood", "sources=[meld]", here).target) == ["mood"]
    assert composed("+target=meld", "sources=[moods]", here).sources.mood.name == "moods"


def test_a_broken_task_is_named(tmp_path):
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "bad.yaml").write_text("nmae: x\n")
    with pytest.raises(ConfigurationError, match=r"bad\.yaml.*nmae"):
        read_tasks([tmp_path])
