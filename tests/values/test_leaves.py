"""Every leaf of every composed configuration refuses what it cannot be, or is accepted here for a reason."""

import re
from fnmatch import fnmatchcase

import pytest
from omegaconf import OmegaConf

from dfwe.conf import conf_dir
from dfwe.config.consistency import check_all, complete
from dfwe.config.task_options import read_tasks
from dfwe.errors import ConfigurationError

NAN, INF = float("nan"), float("inf")


def _files(group, *but):
    return [path for path in sorted((conf_dir() / group).glob("*.yaml")) if path.stem not in ("base", "none", *but)]


def _composed(group, composed):
    """Plain configurations, which together have every option of the group."""
    if group in ("model", "experiment"):
        for path in _files(group, "all_targets_smoke"):
            target = [] if group == "experiment" and path.stem not in ("dfwe_paper", "merge_zoo") else ["+target=meld"]
            source = ["model.source.name=/x"] if "name: ???" in path.read_text() else []
            yield OmegaConf.to_container(complete(composed(f"{group}={path.stem}", "data.root=/x", *target, *source)))
        return
    default = OmegaConf.to_container(composed("+target=meld"), resolve=True)
    if group == "task":
        tasks = {name: OmegaConf.to_container(config, resolve=True) for name, config in read_tasks().items()}
        yield default | {"sources": tasks}
    for path in _files(group) if group not in ("default", "task") else ():
        yield _with_option(default, group, OmegaConf.load(path))
    if group == "default":
        yield default


def _with_option(default, group, option):
    """As Hydra composes it."""
    option = OmegaConf.merge({"name": "x", "model": default["model"]}, option)
    for key in ("save_dir", "folder") if group == "logger" else ():
        if key in option:
            option[key] = "x"
    root = OmegaConf.to_container(option, resolve=True)
    own = {key: value for key, value in root.items() if key not in ("defaults", "model", "name")}
    first, _, second = group.partition("/")
    if second:
        return default | {first: default[first] | {second: own}}
    if group in ("merge", "data", "trainer"):  # which begin with the group's base
        return default | {first: _merged(default[first], own)}
    return default | {first: own}


def _merged(base, own):
    """As OmegaConf merges, but for parts of another class, which an option takes the place of."""
    if not (isinstance(base, dict) and isinstance(own, dict)) or base.get("_target_") != own.get("_target_"):
        same = isinstance(own, dict) and "_target_" not in own and isinstance(base, dict)
        return base | own if same else own
    return base | {key: _merged(base[key], each) if key in base else each for key, each in own.items()}


GROUPS = (
    *(
        "default",
        "model",
        "merge",
        "merge/search",
        "merge/selection",
        "merge/holdout",
        "merge/surrogate",
        "merge/by",
        "source_selection",
        "data",
        "trainer",
        "executor",
    ),
    *("logger", "task", "experiment"),
)

# what is accepted, and why, by key: * stands for any part of one
TEXTS = {
    "*.name": "a name",
    "*.title": "a row's title",
    "*.prompt.*": "a task's own words and columns",
    "*.labels*": "a task's own labels",
    "*.default_sources*": "tasks are looked up when Hydra composes",
    "*.path": "a file, looked for when data are read",
    "*.files.dev": "likewise",
    "*.task": "a task of lm-eval, looked up when data are read",
    "*.include_path": "a folder, looked for when data are read",
    "*.id": "a column",
    "*.group": "a column",
    "*.columns*": "columns, or tasks, looked up when the study is planned",
    "*.rename.*": "a column",
    "*.exclude.*": "a cell",
    "*.metrics.*": "labels and names of relations",
    "data.files": "a folder, looked for when data are read",
    "data.unlabelled": "sources, or a table, looked for when the study is planned",
    "*.root": "a folder",
    "model.pretrain.data.files": "a folder",
    "paths.store": "a folder, made where it is missing",
    "executor.address": "of a cluster, called when the study begins",
    "logger.*": "names and folders",
    "merge.by.patterns.*": "a regular expression, held against the model's tensors",
    "merge.method.averaged": "a regular expression",
    "merge.search.optimizer": "nevergrad's names are looked up when the study is planned",
    "base_model": "a folder or a name on the Hub, looked for when the study is planned",
    "model.family.target_delimiter": "a text",
    "model.lora.targets": "a regular expression, held against the model's modules before it is trained",
    "model.source.*": "a package, folder or repository, looked for before any training",
    "multitask.*": "models and columns by name, looked up when the study is planned",
}
ZERO = {
    "*seed": "every number from 0 on seeds",
    "data.max_words": "0 is for no limit",
    "data.max_*_fraction": "none may be bad, or cut",
    "model.max_target_tokens": "0 where heads answer; studies of texts refuse it (dfwe.families.text.family)",
    "model.pretrain.data.max_invalid_fraction": "none may be bad",
    "*.style.*": "a share of 0",
    "*.noise.*": "no noise",
    "*.task_fractions.*": "a share of 0",
    "*dropout*": "no dropout",
    "merge.method.*": "see each method: what has no effect at 0 is the method without it",
    "merge.statistics.method.*": "likewise",
    "multitask.merges.*.set.method.floor": "no floor",
    "merge.selection.margin": "none",
    "merge.search.first": "no draws before the model is asked",
    "merge.surrogate.*": "no rounds, no exploration, any correlation",
    "*.weights.*": "a task that does not count",
    "*smart.*": "a penalty of 0, no ascents, steps of 0",
    "*.bins.edges*": "a scale from 0",
    "*.published.*": "scores",
    "*.prompt.answer.*": "numbers of a scale",
    "*.head.low": "numbers of a scale",
    "*.head.high": "numbers of a scale",
    "*.heads.*.offset": "a logit",
    "*.heads.*.scale": "of a logit, where it begins",
    "*.unparsable": "a correlation",
    "*.scored*": "places from 0 on",
    "executor.retries": "none",
    "executor.gpus": "none",
}
NEGATIVE = {
    "merge.method.scale": "task vectors taken off, as forgetting does",
    "merge.method.alpha": "of LiNeS: likewise",
    "merge.method.beta": "of LiNeS: shallow layers count for more",
    "merge.surrogate.least_correlation": "a correlation",
    "*.unparsable": "a correlation",
    "*.bins.edges*": "a scale from below 0",
    "*.published.*": "a correlation",
    "*.prompt.answer.low": "numbers of a scale",
    "*.prompt.answer.high": "numbers of a scale",
    "*.head.low": "numbers of a scale",
    "*.head.high": "numbers of a scale",
    "*.heads.*.offset": "a logit",
    "*.heads.*.scale": "of a logit",
}
EMPTY = {
    "model.family.target_delimiter": "nothing between a prompt and its answer",
    "*.exclude.*": "a cell",
    "*.prompt.*": "templates, and what is interpolated from the task's own name and labels, which are refused",
    "*.metrics.*": "likewise",
    "logger.*": "names and folders",
    "*.title": "a row's title",
    "multitask.*": "models and columns by name, looked up when the study is planned",
}
ANYTHING = {
    "model.family.training.*": "a family's own options: its `check_recipe` looks at them when a study is planned",
    "model.pretrain.options.*": "likewise",
    "data.shots": "amounts of any kind, and amounts by task",
    "logger.save_dir": "an argument of Lightning's",
    "trainer.optimizer.*": "arguments of torch's, tried when the study is planned",
}
HALF = {"*.bins.edges*": "numbers of a scale"}


@pytest.mark.parametrize("group", GROUPS)
def test_every_leaf_refuses_bad_values_or_has_a_reason(composed, group):
    seen, silent, unclear = set(), [], []
    for config in _composed(group, composed):
        check_all(config)
        for path, value in leaves({key: config[key] for key in _keys(group, config)}):
            place = _place(config, path)
            if place in seen:
                continue
            seen.add(place)
            for name, bad in bad_values(value).items():
                said = _refusal(config, path, bad)
                if said is None and not _is_accepted(key_of(path), name, value):
                    silent.append(f"{key_of(path)}: {name}")
                elif said is not None and not _names(said, key_of(path)):
                    unclear.append(said)
    assert not silent, "\n".join(silent)
    assert not unclear, "\n".join(unclear)


def test_acceptances_are_of_keys_that_there_are(composed):
    """A reason for nothing would hide the next fault."""
    keys = {key_of(path) for group in GROUPS for config in _composed(group, composed) for path, _ in leaves(config)}
    unused = [
        pattern
        for pattern in (*TEXTS, *ZERO, *NEGATIVE, *EMPTY, *HALF, *ANYTHING)
        if not any(fnmatchcase(key, pattern) for key in keys)
    ]
    assert not unused, unused


def _keys(group, config):
    """What of a configuration the group's options are."""
    first = group.partition("/")[0]
    return {"default": config, "experiment": config, "task": ["sources"]}.get(group, [first])


def leaves(node, path=()):
    """Each value that holds no others, with its path; an empty list or mapping is one."""
    first = list(enumerate(node))[:2] if isinstance(node, list) else []  # a list's elements are alike
    inside = list(node.items()) if isinstance(node, dict) else first
    if not inside:
        yield path, node
    for name, each in inside:
        yield from leaves(each, (*path, name))


def bad_values(value):
    """What to try instead of the value, by what is wrong with it."""
    if isinstance(value, bool):
        return {"word": "nope", "number": 3, "mapping": {"nope": 1}}
    if isinstance(value, int | float):
        half = {"half": 2.5} if isinstance(value, int) else {}
        return {"word": "nope", "zero": 0, "negative": -1, "nan": NAN, "inf": INF, "truth": True, **half}
    if isinstance(value, str):
        return {"word": "nope", "number": 3, "mapping": {"nope": 1}, "empty": ""}
    return {"word": "nope", "negative": -1, "nan": NAN}


def key_of(path):
    """The key as messages write it."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def replaced(node, path, value):
    """A copy with another value at the path; what beside it holds others is left out, which the check allows."""
    if not path:
        return value
    first, *rest = path
    if isinstance(node, list):
        return [replaced(each, tuple(rest), value) if place == first else each for place, each in enumerate(node)]
    beside = {name: each for name, each in node.items() if not isinstance(each, dict | list)}
    beside |= {name: node[name] for name in ("columns", "sources") if "heads" in path and name in node}
    return beside | {first: replaced(node[first], tuple(rest), value)}


def _refusal(config, path, bad):
    """What the command would say, None where it says nothing."""
    try:
        check_all(replaced(config, path, bad))
    except ConfigurationError as error:
        return str(error)
    return None


def _names(said, key):
    """The key (or the part that it belongs to), the value, what is allowed; all in one line."""
    return (
        "\n" not in said
        and any(word in said for word in ("expected", "there is no such"))
        and said.startswith(key.split("[")[0])
    )


def _is_accepted(key, name, value):
    key = re.sub(r"^merges\.\w+\.", "merge.", key)  # each of several merges is as the one
    reasons = {"word": TEXTS, "empty": EMPTY, "zero": ZERO, "negative": NEGATIVE, "half": HALF}.get(name, {})
    if any(fnmatchcase(key, pattern) for pattern in ANYTHING):
        return True
    if name == "word" and not (value is None or isinstance(value, str)):
        return False
    return any(fnmatchcase(key, pattern) for pattern in reasons)


def _place(config, path):
    """The leaf's key and the class that it is an argument of; tasks are alike."""
    node, target = config, None
    for part in path:
        target = node.get("_target_", target) if isinstance(node, dict) else target
        node = node[part]
    key = key_of(path)
    return (".".join(["*", *key.split(".")[2:]]) if path[0] in ("sources", "target") else key), target
