"""experiment=friends_minilm: the seq2seq MiniLM on all seven targets."""

import pytest

from dfwe.config.consistency import complete
from dfwe.studies.plan import load_plan


@pytest.mark.parametrize("target", ["meld", "question_answering"])  # labels; texts
def test_friends_minilm_plans_labels_and_texts(composed, tmp_path, target):
    options = ("experiment=friends_minilm", f"+target={target}", "data.root=somewhere", f"paths.store={tmp_path}")
    config = composed(*options)
    complete(config)
    assert len(config.sources) == 3
    assert config.data.shots == 0.1
    names = {config.merge.name, *(merge.name for merge in config.merges.values())}
    assert names >= {
        "nelder_mead",
        "nelder_mead_argmax",
        "greedy_soup",
        "task_arithmetic",
        "ties",
        "fisher",
        "df_merge",
    }
    plan = load_plan(config, reads_data=False)
    assert plan.target.short == target
    assert plan.factory.family.name == "seq2seq"
