"""Tasks of lm-evaluation-harness as target: the same values as a run of lm-eval on the exported folder."""

import importlib.util
import json

import pytest
import torch
from transformers import AutoTokenizer, LlamaForCausalLM, T5Config, T5ForConditionalGeneration

from dfwe.config.compose import compose_study
from dfwe.data.readers import harness
from dfwe.data.readers.harness import HarnessTask
from dfwe.errors import ConfigurationError
from dfwe.families.causal_lm.weights import FreshLlama
from dfwe.families.text.harness import _asking
from dfwe.models.toy_tokenizer import train_tokenizer
from dfwe.run_study import run_study

needs_lm_eval = pytest.mark.skipif(importlib.util.find_spec("lm_eval") is None, reason="needs the extra lm-eval")
COLOURS = """
task: colours
dataset_path: json
dataset_kwargs: {{data_files: {{validation: {root}/dev.jsonl, test: {root}/test.jsonl}}}}
output_type: multiple_choice
validation_split: validation
test_split: test
fewshot_split: validation
num_fewshot: 1
doc_to_text: "{{{{q}}}}"
doc_to_target: "{{{{answer}}}}"
doc_to_choice: [red, dark green]
metric_list:
  - {{metric: acc, aggregation: mean, higher_is_better: true}}
  - {{metric: acc_norm, aggregation: mean, higher_is_better: true}}
"""
WRITE = """
task: write
dataset_path: json
dataset_kwargs: {{data_files: {{test: {root}/test.jsonl}}}}
output_type: generate_until
test_split: test
doc_to_text: "{{{{q}}}}"
doc_to_target: "{{{{name}}}}"
generation_kwargs: {{until: ["\\n"], max_gen_toks: 3, do_sample: false}}
metric_list:
  - {{metric: exact_match, aggregation: mean, higher_is_better: true}}
"""
NAMES = ["red", "dark green"]


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "datasets"))
    harness._splits.cache_clear()


@pytest.fixture
def tasks(tmp_path):
    """A folder with the YAML and the rows of two tasks."""
    for name, num in (("dev", 6), ("test", 10)):
        rows = [{"q": f"grass {37 * n % 50} is", "answer": n * n % 2, "name": NAMES[n * n % 2]} for n in range(num)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name, text in (("colours", COLOURS), ("write", WRITE)):
        (tmp_path / f"{name}.yaml").write_text(text.format(root=tmp_path))
    return tmp_path


def reader(root, task, **changes):
    settings = {"include_path": ".", "num_fewshot": None, "fewshot_seed": 1234, "batch_size": 4}
    return HarnessTask(root, task, **{**settings, **changes})


def _around(base, kind, *, num=2):
    folders = []
    for seed in range(1, num + 1):
        model = kind.from_pretrained(base)
        torch.manual_seed(seed)
        for parameter in model.parameters():
            parameter.data += 0.3 * torch.randn_like(parameter)
        folders.append(base.parent / f"expert_{seed}")
        model.save_pretrained(folders[-1])
        AutoTokenizer.from_pretrained(base).save_pretrained(folders[-1])
    return folders


def decoders(root):
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1}
    base = root / "base"
    FreshLlama(300, {**shape, "intermediate_size": 32}).build(base, seed=0, texts=["grass 3 is red", "dark green"])
    return _around(base, LlamaForCausalLM)


def encoder_decoders(root):
    base = root / "base"
    tokenizer = train_tokenizer(["grass 3 is red", "dark green"], vocab_size=300)
    torch.manual_seed(0)
    shape = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2, "decoder_start_token_id": 0}
    T5ForConditionalGeneration(T5Config(vocab_size=len(tokenizer), pad_token_id=0, **shape)).save_pretrained(base)
    tokenizer.save_pretrained(base)
    return _around(base, T5ForConditionalGeneration)


def own_run(folder, task, *, include, samples=None):
    """What lm-eval itself says of a folder."""
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    backend = "seq2seq" if json.loads((folder / "config.json").read_text())["model_type"] == "t5" else "causal"
    results = simple_evaluate(
        model="hf",
        model_args={"pretrained": str(folder), "backend": backend, "dtype": "float32"},
        tasks=[task],
        task_manager=TaskManager(include_path=str(include), include_defaults=False),
        batch_size=4,
        device="cpu",
        bootstrap_iters=0,
        samples=samples,
    )
    return results["results"][task], results["samples"][task]


def study(root, folders, *more):
    return compose_study(
        [
            "+target=lm_eval",
            "data=files",
            f"target.lm_eval.data.root={root}",
            "target.lm_eval.data.reader.include_path=.",
            f"+experts=[{','.join(map(str, folders))}]",
            f"paths.store={root}/store",
            "merge.search.budget=3",
            "report=false",
            "trainer.threads=1",
            *more,
        ]
    )


@needs_lm_eval
@pytest.mark.parametrize("models", [decoders, encoder_decoders])
def test_choices_score_as_in_a_run_of_lm_eval(tasks, tmp_path, models):
    more = ["+target.lm_eval.metrics.norm={_target_: dfwe.metrics.documents.DocumentMean, key: 'acc_norm,none'}"]
    folders = models(tmp_path)
    run_study(study(tasks, folders, "target.lm_eval.data.reader.task=colours", *more), folder=tmp_path / "run")
    rows = {row["name"]: row for row in json.loads((tmp_path / "run" / "results.json").read_text())["models"]}
    answers = json.loads((tmp_path / "run" / "test_predictions.json").read_text())["models"]
    for name, folder in (("expert_1", folders[0]), ("nelder_mead", tmp_path / "run" / "merged")):
        total, samples = own_run(folder, "colours", include=tasks)
        assert rows[name]["test"]["metrics"]["acc"] == pytest.approx(total["acc,none"])
        assert rows[name]["test"]["metrics"]["norm"] == pytest.approx(total["acc_norm,none"])
        ours = [json.loads(text) for text in answers[name]]
        theirs = [{f"{key},none": sample[key] for key in ("acc", "acc_norm")} for sample in samples]
        assert ours == theirs
        assert rows[name]["test"]["interval"][0] <= rows[name]["test"]["score"] <= rows[name]["test"]["interval"][1]
    assert len(answers["expert_1"]) == 10
    assert not list(tmp_path.rglob("offload"))


def responses(folder, kind, documents):
    """What a model in memory responds to the documents' requests."""
    kept = []
    model, tokenizer = kind.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    ask = _asking(model, tokenizer=tokenizer, batch_size=4)

    def listening(of, requests):
        kept.extend(ask(of, requests))
        return kept

    documents.scores(listening)
    return kept


@needs_lm_eval
@pytest.mark.parametrize(
    ("models", "kind"), [(decoders, LlamaForCausalLM), (encoder_decoders, T5ForConditionalGeneration)]
)
def test_responses_are_those_of_a_run_of_lm_eval(tasks, tmp_path, models, kind):
    folder, *_ = models(tmp_path)
    _, samples = own_run(folder, "colours", include=tasks)
    ours = responses(folder, kind, reader(tasks, "colours").splits["test"])
    theirs = [response for sample in samples for (response,) in sample["resps"]]
    assert len(ours) == len(theirs) == 20
    assert [greedy for _, greedy in ours] == [greedy for _, greedy in theirs]
    assert [value for value, _ in ours] == pytest.approx([float(value) for value, _ in theirs], abs=1e-4)
    written = reader(tasks, "write").splits["test"]
    _, samples = own_run(folder, "write", include=tasks, samples={"write": [1, 3, 5, 7, 9]})
    assert responses(folder, kind, written) == [response for sample in samples for (response,) in sample["resps"]]
    assert written.names == tuple(f"test-{number}" for number in (1, 3, 5, 7, 9))
    assert written.metrics == ("exact_match,none",)


@needs_lm_eval
def test_requests_are_built_once_for_all_weights(tasks):
    splits = reader(tasks, "colours").splits
    assert reader(tasks, "colours", batch_size=2).splits is splits
    assert [len(splits[split].names) for split in ("dev", "test")] == [6, 10]
    first = splits["test"].scores(lambda kind, requests: [(float(n % 2), True) for n in range(len(requests))])
    other = splits["test"].scores(lambda kind, requests: [(-float(n % 2), True) for n in range(len(requests))])
    assert {name: values["acc,none"] for name, values in first.items()} == {
        name: 1 - values["acc,none"] for name, values in other.items()
    }


@needs_lm_eval
def test_the_digest_follows_the_requests(tasks):
    first = reader(tasks, "colours").read().digest
    harness._splits.cache_clear()
    assert reader(tasks, "colours").read().digest == first
    assert reader(tasks, "colours", num_fewshot=2).read().digest != first


@needs_lm_eval
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["target.lm_eval.data.reader.task=no_such"], "lm-eval has no task 'no_such'"),
        (
            ["target.lm_eval.data.reader.task=colours", "target.lm_eval.metrics.acc.key=f1"],
            "the metric f1 is no mean over this task's documents .* acc,none; acc_norm,none",
        ),
        (
            ["target.lm_eval.data.reader.task=colours", "target.lm_eval.data.reader.include_path=nowhere"],
            "there is no folder",
        ),
    ],
)
def test_what_lm_eval_does_not_have_is_one_line(tasks, tmp_path, changes, message):
    with pytest.raises(ConfigurationError, match=message):
        run_study(study(tasks, decoders(tmp_path), *changes), folder=tmp_path / "run")


def test_without_lm_eval_it_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(harness, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'dfwe\[lm-eval\]'"):
        reader(tmp_path, "arc_easy").read()


def test_a_strangers_file_cannot_name_a_task_of_lm_eval(tmp_path):
    from dfwe.config.foreign import bind_foreign
    from dfwe.data.readers.base import Reader
    from dfwe.errors import ModelError

    part = {"_target_": "dfwe.data.readers.harness.HarnessTask", "task": "arc_easy", "include_path": "."}
    with pytest.raises(ModelError, match="nothing else is run from a file"):
        bind_foreign(part, kind=Reader, where="dfwe.json", root=tmp_path)
