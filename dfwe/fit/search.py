"""Which coefficients? `dfwe search --models A B C --data dev.csv`: merge models that are there already."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from dfwe.conf import conf_dir
from dfwe.controls import without_controls
from dfwe.errors import ConfigurationError
from dfwe.fit.report import description
from dfwe.fit.run import Plan, add_table_options, run_plan, table_options, write_tasks
from dfwe.fit.study import check_settings, hydra_value
from dfwe.fit.task import TableTask, yaml_text
from dfwe.fit.tasks import read_tasks
from dfwe.io.strict_yaml import read_yaml
from dfwe.models.folders import CONFIG, ordered_labels, read_config
from dfwe.models.hub import push_option
from dfwe.process.arguments import Parser

_COLUMN = re.compile(r"\{([^{}]+)\}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = _parser().parse_args(arguments)
    return run_plan(partial(_prepare, options), dry_run=options.dry_run, again="again")


def _prepare(options: argparse.Namespace) -> Plan:
    """Write the task's YAML, tell what was guessed, and return the arguments of the study.

    Raises:
        DfweError: a table, a column, a model or a setting is not what the study needs.
    """
    check_settings(options.set)
    push = push_option(options.push_to, is_public=options.public)
    if len(options.models) == 1:
        raise ConfigurationError(f"--models {options.models[0]} is one model: name two or more, with a space between")
    target = _target(options, defaults=read_yaml(conf_dir() / "fit.yaml"))
    options.out = options.out or Path("outputs") / f"search_{target.name}"
    print(*map(without_controls, description(target, shots=None)), sep="\n")
    path = options.out / "conf" / "task" / f"{target.name}.yaml"
    content = _with_prompt(target.content(sources=()), prompt=options.prompt)
    text = yaml_text(content, comment=f"Written by `dfwe search` for {target.table.path.name}.")
    study = _study(options, target=target.name)
    write_tasks({path: text}, study=study)
    print(f"task: {path}", f"study: {shlex.join(['dfwe', *study])}", sep="\n")
    return Plan(target, options.out, study, push)


def _target(options: argparse.Namespace, *, defaults: Mapping[str, Any]) -> TableTask:
    """Return the task of the table, cut into dev and test: nothing is trained, so that train is small."""
    fractions = dict(defaults["search_holdout_fractions"])
    if options.test is not None:
        fractions = {"dev": sum(fractions.values())}
    (target,) = read_tasks(
        options.data,
        sources=(),
        options=table_options(options),
        defaults={**defaults, "holdout_fractions": fractions},
    )
    labels = _labels_of([*options.models, *([] if options.base is None else [options.base])])
    if target.kind == "labels" and {*target.values} <= {*labels}:
        target = replace(target, values=labels)  # a small table may lack one
    return replace(target, trains=False)


def _labels_of(models: Sequence[str]) -> tuple[str, ...]:
    """Return the labels of the first classifier whose config.json names them, in its outputs' order."""
    places = (Path(model).expanduser() for model in models)
    for folder in (place.parent if place.is_file() else place for place in places):
        labels = read_config(folder).get("id2label") if (folder / CONFIG).is_file() else None
        if isinstance(labels, dict):
            return ordered_labels(labels)
    return ()


def _with_prompt(content: dict[str, Any], *, prompt: str | None) -> dict[str, Any]:
    """Return the task with the user's prompt, whose part up to its last column may lose words.

    Raises:
        ConfigurationError: the prompt shows no column.
    """
    if prompt is None:
        return content
    columns = list(_COLUMN.finditer(prompt))
    if not columns:
        raise ConfigurationError(f"--prompt '{prompt}' shows no column: write one in braces, as in '{{text}} Topic:'")
    end = columns[-1].end()
    content["prompt"] = {**content["prompt"], "context": prompt[:end], "prompt": prompt[end:]}
    return content


def _study(options: argparse.Namespace, *, target: str) -> list[str]:
    """Return the arguments of the study."""
    models = ",".join(hydra_value(Path(model)) for model in options.models)
    base = [] if options.base is None else [f"base_model={hydra_value(Path(options.base))}"]
    settings = [f"merge={options.merge}", f"merge.search.budget={options.budget}", f"seed={options.seed}", *options.set]
    study = [
        f"+target={target}",
        f"experts=[{models}]",
        *base,
        *settings,
        f"hydra.run.dir={hydra_value(options.out)}",
    ]
    return ["--config-dir", str(options.out / "conf"), "experiment=search", *study]


def _parser() -> Parser:
    examples = (
        "dfwe search --models A B C --data dev.csv --text text --label topic",
        "dfwe search --models A B --base P --merge ties --data dev.csv --prompt 'Text: {text} Topic:' --label topic",
    )
    description = (
        "Which coefficients? Merge models that are there already (folders, .safetensors files, Lightning checkpoints, "
        "LoRA adapters) with coefficients that score best on a labelled table."
    )
    parser = Parser(prog="dfwe search", description=description, examples=examples)
    parser.add_argument(
        "--models", nargs="+", action="extend", required=True, metavar="MODEL", help="two or more, of one architecture"
    )
    parser.add_argument("--base", metavar="MODEL", help="the model that all were trained from; task vectors need it")
    parser.add_argument("--data", type=Path, required=True, metavar="TABLE", help="labelled rows to search and test on")
    add_table_options(parser)
    parser.add_argument("--prompt", metavar="TEXT", help="how models that write are asked, columns in braces")
    parser.add_argument("--merge", default="nelder_mead", metavar="METHOD", help="an option of conf/merge; nelder_mead")
    parser.add_argument("--budget", type=int, default=40, metavar="N", help="mixtures that are tried; 40")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the search")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where all goes; else outputs/search_TABLE")
    parser.add_argument("--push-to", metavar="USER/NAME", help="push the model to ship to this repository on the Hub")
    parser.add_argument("--public", action="store_true", help="make that repository public; else it is private")
    parser.add_argument(
        "--set", nargs="*", action="extend", default=[], metavar="KEY=VALUE", help="further settings of the study"
    )
    parser.add_argument("--dry-run", action="store_true", help="write the task and stop before anything is scored")
    return parser
