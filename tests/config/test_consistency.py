"""What of a configuration cannot go together, said before anything heavy is imported."""

import logging
import subprocess
import sys

import pytest
from omegaconf import open_dict

from dfwe.config.compose import compose_study
from dfwe.config.consistency import check_study, complete
from dfwe.config.task_options import chosen_model, read_tasks
from dfwe.errors import ConfigurationError

REFUSED = [
    (("+target=meld", "sources=[meld]"), "the target 'meld' is among its sources"),
    ((), "a study needs one target"),
    (("+target=meld", "sources=none"), "a study needs at least one source"),
    (("+target=meld", "merge.name=uniform"), "merge.name=uniform: every study has a row of this name"),
    (("+target=meld", "merge.name=meld"), "merge.name=meld: an expert is called so"),
    (("+target=meld", "sources=[personality]", "merge.name=personality"), "merge.name=personality: an expert"),
    (("+target=meld", "+merge@merges.a=ties", "merge=ties"), "two merges share the name 'ties'"),
    (
        ("+target=meld", "model=minilm", "model.source.package=not_there"),
        "needs the package not-there, .*`make minilm`, or choose another",
    ),
    (("experiment=cuts_and_stitches", "+multitask.models.greedy={tasks: [SST]}"), "both have 'greedy'"),
    (("experiment=[cuts_and_stitches,merge_zoo]",), "does not use zoo: leave it out.* in multitask.merges"),
    (("experiment=cuts_and_stitches", "stages.until=train"), "does not use stages: leave it out"),
    (("experiment=cuts_and_stitches", "stages.ladder=[1]"), "does not use stages: leave it out"),
    (("+target=meld", "stages.ladder=[1,20]", "trainer.train.epochs=20"), r"ladder=\[1, 20\]: early .*train.epochs=20"),
    (
        ("+target=meld", "stages.ladder=[2]", "trainer.finetune.epochs=2"),
        "early epochs are below trainer.finetune.epochs=2, the cap",
    ),
    (("+target=meld", "sources=none", "stages.skip=[merge]", "stages.ladder=[1]"), "on sources, .* trains none"),
    (("+target=meld", "experts=[a,b]", "stages.ladder=[1]"), "on sources, .* trains none: set stages.ladder="),
    (("+target=meld", "stages.ladder=[0]"), r"stages.ladder\[0\]=0: expected a whole number of at least 1"),
    (("+target=meld", "stages.ladder=[1,1]"), r"stages.ladder=\[1, 1\]: expected .*no two may be the same"),
    (
        ("+target=meld", "sources=[personality]", "stages.ladder=[1]", "merge.name=personality_epoch_1"),
        "an expert is called so",
    ),
    (("experiment=cuts_and_stitches", "subset.number=0"), "does not use subset.number"),
    (("+target=meld", "export_experts=true", "export=false"), "export_experts=true goes with export=true"),
    (("+target=meld", "base_model=here"), r"base_model=here is of experts=\[...\] from elsewhere: leave it out"),
    (("experiment=cuts_and_stitches", "+target=toy_topic"), "does not use target: leave it out"),
]


@pytest.mark.parametrize(("overrides", "message"), REFUSED)
def test_study_whose_parts_do_not_fit_is_refused(composed, overrides, message):
    with pytest.raises(ConfigurationError, match=message):
        check_study(complete(composed(*overrides)))


@pytest.mark.parametrize("overrides", [(), ("merge=uniform",), ("+merge@merges.uniform=uniform",)])
def test_the_uniform_mixture_itself_may_be_asked_for(composed, overrides):
    check_study(complete(composed("+target=meld", *overrides)))


def test_real_data_take_a_real_model_unless_one_is_chosen(composed):
    assert composed("+target=meld").model.name == "t5_toy"
    for chosen, model in (((), "minilm"), (("model=t5_toy",), "t5_toy"), (("model=flan_t5_small",), "flan_t5_small")):
        config = composed("+target=sst", "data=files", "data.files=here", *chosen)
        assert config.model.name == model
        assert config.trainer == composed("+target=sst", "data=files", f"trainer={model}", *chosen).trainer
    assert chosen_model({"data": "friends"}) == "minilm"


def test_a_fine_tuning_that_is_left_out_bounds_no_early_epochs(composed):
    settings = ("stages.ladder=[2]", "trainer.finetune.epochs=2", "stages.skip=[finetune]")
    check_study(complete(composed("+target=meld", *settings)))


def test_a_task_that_is_called_as_an_early_expert_is_refused(composed):
    config = composed("+target=meld", "sources=[emory_emotion,personality]", "stages.ladder=[1]")
    with open_dict(config):
        config.sources["personality_epoch_1"] = config.sources["emory_emotion"]
    with pytest.raises(ConfigurationError, match="a task is called personality_epoch_1.*rename the task"):
        check_study(complete(config))


def test_a_toy_on_real_data_is_warned_of_once(composed, caplog):
    with caplog.at_level(logging.WARNING):
        check_study(complete(composed("+target=sst", "sources=[snli]", "data=files", "model=t5_toy")))
    assert len(caplog.records) == 1
    assert "t5_toy has random weights" in caplog.text


@pytest.mark.parametrize("overrides", [("+target=meld",), ("+target=toy_sentiment", "data=toy_multitask")])
def test_a_toy_on_a_toy_corpus_is_not_warned_of(composed, caplog, overrides):
    with caplog.at_level(logging.WARNING):
        check_study(complete(composed(*overrides)))
    assert caplog.text == ""


@pytest.mark.parametrize("real", ["data.files=here", "target.toy_sentiment.data.root=here"])
def test_a_toy_task_with_other_files_is_warned_of(composed, caplog, real):
    with caplog.at_level(logging.WARNING):
        check_study(complete(composed("+target=toy_sentiment", "data=toy_multitask", real)))
    assert "t5_toy has random weights" in caplog.text


@pytest.mark.parametrize("name", ["mixture", "baseline", "uniform", "random", "same_compute", "all", "none"])
def test_a_task_file_of_a_taken_name_is_refused(my_conf, tmp_path, name):
    (tmp_path / "task").mkdir()
    text = (my_conf / "task" / "mood.yaml").read_text()
    (tmp_path / "task" / f"{name}.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=f"cannot be called {name}.*rename the file .taken are baseline"):
        read_tasks([tmp_path])


def test_two_tasks_of_one_long_name_are_refused(my_conf, tmp_path):
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "temper.yaml").write_text((my_conf / "task" / "mood.yaml").read_text())
    with pytest.raises(ConfigurationError, match="is called moods, too: set another `name`"):
        read_tasks([my_conf, tmp_path])


@pytest.mark.parametrize(("labels", "found"), [("[yes, no]", "true"), ("[1, 2]", "1"), ("[good, on]", "true")])
def test_labels_that_yaml_reads_as_others_are_to_be_quoted(my_conf, tmp_path, labels, found):
    (tmp_path / "task").mkdir()
    text = (my_conf / "task" / "mood.yaml").read_text().replace("labels: [good, bad]", f"labels: {labels}")
    (tmp_path / "task" / "mood.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=rf"labels\[\d\]={found}: expected a text.*; YAML reads .* in quotes"):
        read_tasks([tmp_path])


def test_it_is_said_before_heavy_imports():
    modules = "dfwe.config.consistency, dfwe.config.consistency"
    code = f"import sys, {modules}; print(*(x in sys.modules for x in ('torch', 'numpy')))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["False", "False"]


def test_python_composes_from_any_folder(tmp_path):
    (folder := tmp_path / "a, b").mkdir()
    assert compose_study(["+target=meld"], config_dirs=[folder]).model.name == "t5_toy"
    with pytest.raises(ConfigurationError, match="model must be the name of an option"):
        compose_study(["+target=meld", "model=null"])
