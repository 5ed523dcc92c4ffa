"""Hydra's, OmegaConf's and YAML's own errors as the user meets them: one line of ours, exit code 2, before torch."""

import json
import subprocess
import sys

import pytest

DRIVER = """
import contextlib, io, json, sys
from dfwe.run import main
for line in sys.stdin:
    sys.argv[1:], said = json.loads(line), io.StringIO()
    with contextlib.redirect_stderr(said):
        code = main()
    print("case:", json.dumps([code, said.getvalue(), "torch" in sys.modules]), flush=True)
"""
MINE = "--config-dir", "MINE"
CASES = {
    "an unknown option": (["+target=mels"], "target=mels: unknown option 'mels' (did you mean meld?): choose one of "),
    "an unknown source": (["sources=[meldd]"], "sources=meldd: unknown option 'meldd' (did you mean meld?)"),
    "an option of a group below": (["merge/search=greddy"], "merge/search=greddy: .*did you mean greedy"),
    "an unknown launcher": (
        ["-m", "hydra/launcher=slum"],
        "hydra/launcher=slum: unknown option 'slum'.*choose one of basic",
    ),
    "an unknown key": (
        ["+target=meld", "merge.search.budgets=3"],
        "key 'merge.search.budgets' (did you mean merge.search.budget?",
    ),
    "a key's last name": (["budget=3"], "unknown key 'budget' (did you mean merge.search.budget?)"),
    "the beginning of a key": (["plan=true"], "unknown key 'plan' (did you mean plan_only?)"),
    "a group's name": (["targets=meld"], "unknown key 'targets' (did you mean target"),
    "a group and a key of one name": (["merg=ties"], "unknown key 'merg' (did you mean merge or merges?)"),
    "a wrong type": (["trainer.train.epochs=ten"], "trainer.train.epochs must be a whole number, not 'ten'"),
    "no boolean": (["export=maybe"], "export must be true or false, not 'maybe'"),
    "no list": (["baselines=random"], "baselines must be a list, such as [random]"),
    "a value for a part": (["trainer.train=3"], "trainer.train has keys of its own"),
    "no option": (["model=null"], "model must be the name of an option, or a list of names, not null"),
    "no equals sign": (["meld"], "'meld' is not key=value: write for instance target=meld"),
    "a space for the equals sign": (["+target", "meld"], "'+target' is not key=value: write +target=... in one word"),
    "a merge without its plus": (
        ["+target=meld", "merge@merges.second=ties"],
        "merge@merges.second is not chosen yet, so that it cannot be changed: write +merge@merges.second=...",
    ),
    "a merge as a key": (
        ["+target=meld", "merges.second=ties"],
        "unknown key 'merges.second': a further merge is added by +merge@merges.second=...",
    ),
    "an open bracket": (["seed=[1"], "seed=[1 cannot be read"),
    "an open quotation mark": (["seed='1"], "seed='1 cannot be read: quote the value"),
    "a sweep without -m": (["seed=1,2"], "seed=1,2 has several values: add -m to sweep over them"),
    "an option twice": (["target=meld", "target=sst"], "target is given twice"),
    "a plus too many": (["+seed=1"], "seed is there already: write seed=... without +"),
    "a flag": (["--target", "meld"], "unknown flag --target: settings are written without dashes, as target=..."),
    "a flag with a value": (["--target=meld"], "settings are written without dashes, as target=meld"),
    "a misspelt flag": (["--multrun"], "unknown flag --multrun (did you mean --multirun?)"),
    "a flag without its value": (["--config-dir"], "argument --config-dir/-cd: expected one argument"),
    "a folder that is missing": (["--config-dir", "nowhere"], "nowhere' not found"),
    "an unknown root": (["-cn", "nothing"], "there is no configuration 'nothing'"),
    "resolve without cfg": (["--resolve"], "--resolve flag can only be used"),
    "an interpolation": (["+target=meld", "seed=${sed}"], "seed is ${sed}: there is no key 'sed' (did you mean seed"),
    "an environment variable": (
        ["+target=meld", "seed=${oc.env:NO_SUCH}"],
        "seed is ${oc.env:NO_SUCH}: .*NO_SUCH' not found",
    ),
    "a toy where the task brings data of its own": (
        ["+target=sst", "sources=[snli]", "data.files=here"],
        "sst brings data of its own, and no model was chosen: set data=files",
    ),
    "a tab": (
        [*MINE, "experiment=tab"],
        "experiment/tab.yaml, line 3, column 1: .*YAML does not allow tabs",
    ),
    "broken YAML": (
        [*MINE, "experiment=broken"],
        "experiment/broken.yaml, line 4, column 1: .*expected ',' or ']'",
    ),
    "bytes": ([*MINE, "experiment=binary"], "experiment/binary.yaml, line 1: the file must be UTF-8 text"),
    "a key in a file": (
        [*MINE, "experiment=key"],
        "experiment/key.yaml: unknown key 'trainer.epocs' (did you mean trainer.train.epochs",
    ),
    "a type in a file": (
        [*MINE, "experiment=type"],
        "experiment/type.yaml: trainer.batch_size must be a whole number, not 'ten'",
    ),
    "a file without its package": (
        [*MINE, "experiment=package"],
        "experiment/package.yaml: .*begins with `# @package _global_`",
    ),
    "a file's interpolation": (
        [*MINE, "experiment=dead_end", "+target=meld"],
        "trainer.batch_size is ${modell.batch}: there is no key 'modell.batch'.* (.*experiment/dead_end.yaml, line 3)",
    ),
    "a file's open interpolation": ([*MINE, "experiment=open"], "trainer.batch_size: its interpolation cannot be read"),
    "a broken task": (["--config-dir", "TASKS"], "task/mine.yaml, line 2, column 1: .*tab"),
}
FILES = {
    "tab": "# @package _global_\ntrainer:\n\tbatch_size: 1\n",
    "broken": "# @package _global_\ncontrols: [random,\nseed: 1\n",
    "key": "# @package _global_\ntrainer:\n  epocs: 2\n",
    "type": "# @package _global_\ntrainer:\n  batch_size: ten\n",
    "package": "seed: 3\n",
    "dead_end": "# @package _global_\ntrainer:\n  batch_size: ${modell.batch}\n",
    "open": "# @package _global_\ntrainer:\n  batch_size: ${model\n",
}


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    """Exit code, stderr, and whether torch was imported, of each case; all in one process."""
    folder = tmp_path_factory.mktemp("hydra_errors")
    for name, content in {**FILES, "binary": b"\xff\xfe\x00"}.items():  # each apart: all files of a folder are read
        (folder / name / "experiment").mkdir(parents=True)
        content = content if isinstance(content, bytes) else content.encode()
        (folder / name / "experiment" / f"{name}.yaml").write_bytes(content)
    (folder / "tasks" / "task").mkdir(parents=True)
    (folder / "tasks" / "task" / "mine.yaml").write_text("name: mine\n\tlabels: []\n")
    lines = [json.dumps(placed(arguments, folder=folder)) for arguments, _ in CASES.values()]
    command = [sys.executable, "-c", DRIVER]
    done = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, timeout=600, cwd=folder)
    said = [json.loads(line.removeprefix("case: ")) for line in done.stdout.splitlines() if line.startswith("case: ")]
    return dict(zip(CASES, said, strict=False))


def placed(arguments, *, folder):
    """The arguments with the folder of the experiment or task that they name."""
    own = [word.removeprefix("experiment=") for word in arguments if word.startswith("experiment=")]
    places = {"MINE": f"{folder}/{own[0] if own else ''}", "TASKS": f"{folder}/tasks"}
    return [places.get(word, word) for word in arguments]


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_composed_is_one_line(ends, case):
    assert case in ends
    code, said, heavy = ends[case]
    (line,) = said.splitlines()
    assert line.startswith("error: ")
    assert in_order(CASES[case][1].split(".*"), line), line
    assert (code, heavy) == (2, False) if "-m" not in CASES[case][0] else code == 2


def in_order(parts, line):
    """Whether the parts stand in the line one after the other."""
    place = 0
    for part in parts:
        place = line.find(part, place) + len(part)
        if place < len(part):
            return False
    return True
