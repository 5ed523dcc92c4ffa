"""What a YAML class refuses in its constructor is one line of the command's, in time."""

import ast
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dfwe.conf import conf_dir

# Runs the command for each list of arguments on stdin, in a fork that has imported all and read all tasks; a minute of
# computing kills it. Imports are in the order of docs/tutorials/method_in_ten_cells.ipynb, in a Python of its own.
DRIVER = """
import contextlib, io, json, os, resource, sys
from dfwe.config.compose import compose_study
import dfwe.studies.plan, dfwe.run_study
import datasets, dfwe.search.optimizers.nevergrad
from dfwe.run import main
compose_study(["+target=meld"])
for line in sys.stdin:
    if child := os.fork():
        _, status = os.waitpid(child, 0)
        if status:
            print("case:", json.dumps([os.waitstatus_to_exitcode(status), "killed"]), flush=True)
        continue
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    resource.setrlimit(resource.RLIMIT_CPU, (int(used) + 60, int(used) + 60))
    sys.argv[1:], said = json.loads(line), io.StringIO()
    with contextlib.redirect_stderr(said):
        code = main()
    print("case:", json.dumps([code, said.getvalue()]), flush=True)
    os._exit(0)
"""
ROWS = ["+target=snli", "sources=[sst]", "data=files", "data.files=nowhere", "model=t5_toy"]
SENTENCES = ["+target=toy_similarity", "sources=[toy_sentiment]", "data=toy_multitask"]
PAIR_COSINE = (
    "{_target_: dfwe.families.multi_head.heads.pair_classification.PairCosine, columns: [a], pooling: mean, "
    "dropout: 0.1, scale: 1.0, offset: 0.0}"
)
HEADS = ["experiment=cuts_and_stitches"]
MELD = ["+target=meld"]
AUTO = [*MELD, "sources=auto"]
SURROGATE = [*MELD, "merge/surrogate=logits"]
CASES = {
    "Number": ([*SENTENCES, "target.toy_similarity.prompt.answer.step=0"], "step"),
    "ClassLabel": ([*ROWS, "++target.snli.prompt.answer.texts.9=perhaps"], "perhaps"),
    "Template": ([*ROWS, "target.snli.prompt.context='{label}'"], "label"),
    "Delimited": ([*ROWS, "target.snli.data.reader.files.train.delimiter='||'"], "one character"),
    "Table": ([*ROWS, "target.snli.data.reader.holdout_fractions={dev: 0.6, test: 0.6}"], "holdout_fractions"),
    "ToyFriends": ([*MELD, "++data.generator.task_fractions.nothing=0.5"], "nothing"),
    "ToyMultitask": ([*SENTENCES, "data.generator.rows.topic.train=0"], "rows.topic"),
    "DiagonalFisher": ([*MELD, "merge=fisher", "merge.statistics.samples=0"], "samples"),
    "Gram": ([*MELD, "merge=regmean", "merge.statistics.examples=0"], "examples"),
    "MergedGram": ([*MELD, "merge=regmean_pp", "merge.statistics.examples=0"], "examples"),
    "HeadFisher": ([*HEADS, "multitask.fisher.sigma=-1"], "sigma"),
    "MeanGradient": (
        [*AUTO, "source_selection=gradients", "source_selection.by.gradients.measure.examples=0"],
        "examples",
    ),
    "TaskSimilarity": ([*AUTO, "source_selection=fisher", "source_selection.by.fisher.compare=taste"], "compare"),
    "Classification": ([*HEADS, "sources.toy_sentiment.head.pooling=most"], "pooling"),
    "PairClassification": ([*HEADS, "sources.toy_inference.head.features=[u, w]"], "features"),
    "PairCosine": (
        [
            *HEADS,
            f"+multitask.training.heads.QDPD={PAIR_COSINE}",
        ],
        "columns",
    ),
    "SimilarityHead": ([*HEADS, "sources.toy_similarity.head.k=2"], "head.k"),
    "KFold": ([*MELD, "merge/holdout=k_fold", "merge.holdout.number=1"], "holdout.number"),
    "HoldoutSplit": (
        [*MELD, "merge/holdout=split", "merge.holdout.share=2"],
        "holdout.share",
    ),
    "GaussianProcess": ([*MELD, "merge/search=gaussian_process", "merge.search.first=-1"], "first"),
    "Greedy": ([*MELD, "merge/search=greedy", "merge.coefficients={low: 0.0, high: 0.9}"], "greedy"),
    "Grid": ([*MELD, "merge/search=grid", "merge.search.steps=0"], "steps"),
    "NevergradSearch": ([*MELD, "merge/search=nevergrad", "merge.search.optimizer=Nothing"], "Nothing"),
    "Surrogate": ([*SURROGATE, "merge.surrogate.control=1"], "control"),
    "RayExecutor": ([*MELD, "executor=ray", "executor.workers=0"], "executor"),
    "CausalLmFamily": ([*MELD, "model=llama_toy", "data.truncation=reference"], "truncation"),
    "ClassifierFamily": ([*MELD, "model=bert_toy_classifier", "trainer.accumulate=2"], "accumulate"),
    "MultiHeadFamily": ([*HEADS, "decode=greedy"], "decode"),
    "Seq2SeqFamily": ([*MELD, "trainer.head_first=true"], "head_first"),
    "Surgery": ([*HEADS, "multitask.surgery.scope=some"], "scope"),
}
# conf/diagnostic alone has the numbers of the first two; the last needs experts: tests/data/readers/test_plain_text.py
NOT_OF_THE_COMMAND = {"Connectedness", "Interpolation", "PlainText"}


def refusing_classes():
    """The classes that YAML names whose constructors raise or call a check."""
    names = set()
    for file in conf_dir().rglob("*.yaml"):
        names |= set(re.findall(r"_target_:\s*(dfwe[\w.]+)", file.read_text()))
    return sorted(name for name in names if refuses(name))


def refuses(name):
    module, _, of = name.rpartition(".")
    tree = ast.parse(Path(importlib.util.find_spec(module).origin).read_text())
    for each in ast.walk(tree):
        if isinstance(each, ast.ClassDef) and each.name == of:
            made = [f for f in each.body if isinstance(f, ast.FunctionDef) and f.name in ("__init__", "__post_init__")]
            return any(re.search(r"\braise\b|check_\w+\(|\berrors_of\(", ast.unparse(f)) for f in made)
    return False


def test_every_class_that_refuses_has_a_case():
    cases = {*CASES, *NOT_OF_THE_COMMAND}
    assert [name for name in refusing_classes() if not any(name.endswith(f".{case}") for case in cases)] == []


@pytest.fixture(scope="module")
def end_of(tmp_path_factory):
    """A function from a case to its exit code and stderr; all in one process, for imports take longer than cases."""
    folder = tmp_path_factory.mktemp("constructors")
    where = [f"paths.store={folder}/store", f"hydra.run.dir={folder}/run"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, "-c", DRIVER], text=True, **pipes) as driver:

        def ask(case):
            print(json.dumps([*CASES[case][0], *where]), file=driver.stdin, flush=True)
            return next(json.loads(line.removeprefix("case: ")) for line in driver.stdout if line.startswith("case: "))

        yield ask


@pytest.mark.parametrize("case", CASES)
def test_what_a_constructor_refuses_is_one_line(end_of, case):
    code, said = end_of(case)
    assert code == 2, said
    (line,) = said.splitlines()
    assert line.startswith("error: ")
    assert CASES[case][1] in line
