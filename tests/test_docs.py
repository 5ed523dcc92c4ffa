"""README and docs/: short sentences, right spelling, whole links, commands that compose, Python that runs."""

import argparse
import importlib
import re
import runpy
import shlex
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from pathlib import Path
from statistics import median

import pytest
import torch
import yaml
from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import ConfigCompositionException
from torch import nn

from dfwe.cli import COMMANDS as SUBCOMMANDS
from dfwe.cli import command_of
from dfwe.conf import conf_dir
from dfwe.config.command_line import hydra_arguments
from dfwe.config.consistency import check_study, complete
from dfwe.config.task_options import register
from dfwe.merging.expert_array import save_weights

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = (README, *sorted(DOCS.rglob("*.md")))
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
README_BYTES, MEDIAN_WORDS, MOST_WORDS = 10_240, 16, 35
RUN_WHOLE = {"README.md", "docs/getting-started.md", "docs/predict.md", "docs/reports-and-results.md"}
RUN_WHOLE |= {f"docs/api/{page}.md" for page in ("index", "search", "merging", "predict")}


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and where it stands."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def fenced_blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page."""
    lines, blocks, number = page.read_text(encoding="utf8").splitlines(), [], 0
    while number < len(lines):
        if lines[number].startswith("```"):
            content = list(takewhile(lambda line: not line.startswith("```"), lines[number + 1 :]))
            name = page.relative_to(ROOT).as_posix()
            blocks.append(Block(name, number + 1, lines[number][3:].strip(), "\n".join(content)))
            number += len(content) + 1
        number += 1
    return blocks


BLOCKS = [block for page in PAGES for block in fenced_blocks(page)]


def shell_lines(block: Block) -> list[list[str]]:
    """Return the words of each command of a block, of those in a pipe each."""
    commands = []
    for line in block.text.replace("\\\n", " ").splitlines():
        for part in re.split(r" \| ", line):
            words = shlex.split(part, comments=True)
            commands.append([*words[len(list(takewhile(lambda word: re.match(r"[A-Z_]+=", word), words))) :]])
    return [words for words in commands if words]


COMMANDS = [(str(block), words) for block in BLOCKS if block.language == "bash" for words in shell_lines(block)]
CALLS = [  # of dfwe: the place, the module, and its arguments
    (place, SUBCOMMANDS[name].module, arguments)
    for place, words in COMMANDS
    if words[0] == "dfwe"
    for name, arguments in [command_of(words[1:])]
    if name in SUBCOMMANDS
]
CALLS += [(place, words[2], words[3:]) for place, words in COMMANDS if words[:2] == ["python", "-m"]]
STUDIES = [(place, arguments) for place, module, arguments in CALLS if module == "dfwe.run"]
SWEEPS_OF_TARGETS = {f"experiment={name}" for name in ("all_targets_smoke", "friends_classifier", "friends_curve")}
SMALL = [call for call in CALLS if call[1] != "dfwe.run"]


def prose(page: Path) -> list[str]:
    """Return the sentences of a page: code, tables, headings and API entries apart."""
    text = re.sub(r"^```.*?^```", "\n", page.read_text(encoding="utf8"), flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"^(\||#|!\[|:::| {4}).*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"`[^`]+`", "code", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text).replace("*", "")
    text = re.sub(r"^\s*(-|\d+\.) ", "\n\n", text, flags=re.MULTILINE)
    paragraphs = (" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", text))
    sentences = [s for paragraph in paragraphs for s in re.split(r"(?<=[.!?:])\s+(?=[A-Z\"(]|code|dfwe)", paragraph)]
    return [sentence for sentence in sentences if len(sentence.split()) > 1]


def test_readme_is_short():
    assert README.stat().st_size <= README_BYTES


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_sentences_are_short(page):
    lengths = {sentence: len(sentence.split()) for sentence in prose(page)}
    assert [sentence for sentence, words in lengths.items() if words > MOST_WORDS] == []
    assert not lengths or median(lengths.values()) <= MEDIAN_WORDS


def test_sentences_are_counted(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Head\n\nOne two `a b c`. Three\nfour [five six](x.md)!\n\n- seven eight\n\n| a b | c |\n")
    assert prose(page) == ["One two code.", "Three four five six!", "seven eight"]


def test_spelling():
    checked = subprocess.run([sys.executable, "-m", "codespell_lib", *PAGES], capture_output=True, text=True)
    assert (checked.returncode, checked.stdout) == (0, "")


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_exist(page):
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf8"))
    relative = [target for target in targets if not target.startswith(("http", "#"))]
    assert [target for target in relative if not (page.parent / target).exists()] == []
    assert relative or page != README


def test_every_page_is_in_the_navigation():
    config = yaml.load((ROOT / "mkdocs.yml").read_text(), Loader=yaml.BaseLoader)
    assert set(re.findall(r"[\w/-]+\.md", str(config["nav"]))) == {p.relative_to(DOCS).as_posix() for p in PAGES[1:]}


GROUPS = {path.parent.relative_to(conf_dir()).as_posix() for path in conf_dir().glob("*/**/*.yaml")}


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_every_option_is_named(group):
    options = {path.stem for path in (conf_dir() / group).glob("*.yaml")} - {"base"}
    text = "\n".join(page.read_text(encoding="utf8") for page in PAGES[1:])
    assert {option for option in options if f"`{option}`" not in text} == set()


@pytest.fixture(scope="module")
def user_folder(tmp_path_factory):
    """The folder `my_conf` with the task that docs/your-own-task.md describes."""
    folder = tmp_path_factory.mktemp("user") / "my_conf"
    (folder / "task").mkdir(parents=True)
    (block,) = (block for block in BLOCKS if block.text.startswith("# my_conf/task/plants.yaml"))
    for name in ("plants", "messages", "other"):  # the last two are of docs/fit.md
        text = block.text.replace("name: plant_care", f"name: {name}_of_a_table")
        (folder / "task" / f"{name}.yaml").write_text(text)
    return folder


@cache
def sweep_parameters(name):
    config = yaml.safe_load((conf_dir() / "sweep" / f"{name}.yaml").read_text())
    return config["hydra"]["sweeper"]["params"]


def last_job(overrides, *, is_sweep):
    """Return the overrides of a command's last job."""
    parsed = OverridesParser.create().parse_overrides(overrides)
    named = [override.value() for override in parsed if override.key_or_group == "sweep"]
    sweeps = [name for value in named for name in (value if isinstance(value, list) else [value])]
    given = {override.key_or_group for override in parsed}
    for sweep in sweeps:
        overrides += [f"{k}={v}" for k, v in sweep_parameters(sweep).items() if k.lstrip("+") not in given]
    if not is_sweep:
        return overrides
    batches = BasicSweeper.split_arguments(OverridesParser.create().parse_overrides(overrides), None)
    return list(batches[-1][-1])


def test_studies_compose(user_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("dfwe.config.consistency.check_model", lambda config: None)  # asks for installed weights
    monkeypatch.chdir(tmp_path)
    for name in ("parent", "model_a"):  # whose kind is read
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    register((user_folder,))
    composed = set()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        for place, arguments in STUDIES:
            parsed, rest = get_args_parser().parse_known_args(hydra_arguments(arguments))
            overrides = [*parsed.overrides, *rest]
            if parsed.help or parsed.shell_completion:
                continue
            assert overrides, place
            with_targets = bool({*overrides} & SWEEPS_OF_TARGETS)
            is_sweep = parsed.multirun or with_targets
            if with_targets:
                overrides.append("+target=meld")  # they sweep over it
            if "logger=wandb" in overrides:
                overrides.append("logger.folder=FOLDER")  # where a run would have its own
            if parsed.config_dir:
                overrides.append(f"hydra.searchpath=[file://{user_folder}]")
            job = last_job(overrides, is_sweep=is_sweep)
            if tuple(job) in composed:
                continue
            composed.add(tuple(job))
            try:
                check_study(complete(compose("config", overrides=job)))
            except Exception as error:
                pytest.fail(f"{place}: {' '.join(job)}: {error}")
    assert len(composed) > 50


def test_a_wrong_study_does_not_compose():
    register()
    wrong = pytest.raises(ConfigCompositionException, match=r"Could not override 'merge\.method\.densty'")
    with initialize_config_dir(str(conf_dir()), version_base="1.3"), wrong:
        compose("config", overrides=["+target=meld", "merge=ties", "merge.method.densty=1"])


def test_small_commands_parse():
    for place, module, arguments in SMALL:
        parser = importlib.import_module(module)._parser()
        parse = parser.parse_intermixed_args if module == "dfwe.fit.command" else parser.parse_args
        try:
            parse(arguments)
        except SystemExit as end:
            if end.code:
                pytest.fail(f"{place}: {module} {' '.join(arguments)}")


def flags(parser):
    """Return the long options of a parser and of its subcommands."""
    names = set()
    for action in parser._actions:
        names |= {name for name in action.option_strings if name.startswith("--")}
        if isinstance(action, argparse._SubParsersAction):
            names |= {name for each in action.choices.values() for name in flags(each)}
    return names


@pytest.mark.parametrize("name", sorted(set(SUBCOMMANDS) - {"run"}))
def test_every_flag_is_named(name):
    text = "\n".join(page.read_text(encoding="utf8") for page in PAGES[1:])
    parser = importlib.import_module(SUBCOMMANDS[name].module)._parser()
    assert {flag for flag in flags(parser) if f"`{flag}`" not in text} == set()


def test_other_commands_are_there():
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    extras = set(re.findall(r"^([a-z-]+) = \[$", (ROOT / "pyproject.toml").read_text(), flags=re.MULTILINE))
    for place, words in COMMANDS:
        if words[0] == "make":
            assert set(words[1:]) <= targets, place
        elif words[0] == "pip":
            assert {name for word in words for name in re.findall(r"[a-z]+", word.partition("[")[2])} <= extras, place
        elif words[0] == "python" and words[1] != "-m":
            assert (ROOT / words[1]).is_file(), place
        elif words[0] == "dfwe":
            assert command_of(words[1:])[0] in SUBCOMMANDS or words[1] in ("--help", "--version"), place
        else:
            assert words[0] in ("python", "source", "wandb", "hf", "printf", "eval"), place


PYTHON = [block for block in BLOCKS if block.language == "python"]


@pytest.mark.parametrize("block", PYTHON, ids=map(str, PYTHON))
def test_python_compiles(block):
    compile(block.text, str(block), "exec")


def _classifiers(folder, encoder):
    """Write three classifiers; return texts and their answers."""
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    config = BertConfig.from_pretrained(encoder, num_labels=2, id2label={0: "calm", 1: "glad"})
    network = BertForSequenceClassification(config)
    for name in ("model_base", "model_a", "model_b"):
        for parameter in network.parameters():
            parameter.data += 0.01 * torch.randn_like(parameter)
        network.save_pretrained(folder / name)
        AutoTokenizer.from_pretrained(encoder).save_pretrained(folder / name)
    return {"texts": ["a merry tale", "merry and mild", "is the kettle warm?"], "answers": ["glad", "glad", "calm"]}


@pytest.mark.parametrize("block", [block for block in PYTHON if block.page in RUN_WHOLE], ids=str)
def test_python_runs(block, ran, tiny_bert, tmp_path, monkeypatch):
    import pytorch_lightning as pl

    class Module(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 1, bias=False)

        def training_step(self, batch, batch_idx):
            return self.layer(batch).sum()

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.0)

        def train_dataloader(self):
            return torch.utils.data.DataLoader(torch.ones(2, 3))

    best = torch.tensor([0.7, 0.3, 0.0])
    module, values = Module(), {}
    for number, name in enumerate("ab"):
        with torch.no_grad():
            module.layer.weight.copy_(torch.eye(3)[number : number + 1])
        save_weights(module, tmp_path / f"{name}.safetensors")
    monkeypatch.chdir(tmp_path)

    def accuracy(model):
        return 1.0 - float((model.layer.weight.detach()[0] - best).norm())

    if "from_pretrained" in block.text:
        values |= _classifiers(tmp_path, tiny_bert)
    values |= {"model": module, "module": module, "accuracy": accuracy, "run_folder": str(ran[0])}
    exec(compile(block.text, str(block), "exec"), values)
    if "accuracy)" in block.text:
        assert accuracy(module) > 0.95
    if "probabilities" in values:
        assert values["answers"][0] in values["model"].labels
        assert sum(values["probabilities"][0].values()) == pytest.approx(1.0)


def test_the_picture_is_that_of_its_script():
    drawn = runpy.run_path(str(DOCS / "draw_overview.py"))["picture"]()
    assert drawn == (DOCS / "images" / "overview.svg").read_text(encoding="utf8")
