"""Bounds on the shape of the code: how much a reader must hold, and how names and docstrings read.

Where a figure is not reached yet, a RATCHET just above what was measured holds it: lower it when the code improves, and
never raise it. Exceptions name their reason.
"""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import cache, cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

FILES_PER_FOLDER = 16
IMPORTS_PER_FILE = 14
FILES = {  # with more imports of our own modules: a ratchet for each
    "dfwe/families/classifier/family.py": 17,  # a family is where everything about a kind of model meets
    "dfwe/families/multi_head/family.py": 18,
    "dfwe/stages/merge.py": 15,
    "dfwe/families/seq2seq/family.py": 17,
    "dfwe/families/text/family.py": 15,
    "dfwe/predict/models.py": 15,  # every family, imported late
    "dfwe/run.py": 16,  # half of them are imported late, so that --help starts at once
    "dfwe/stages/train.py": 16,  # of all weights, a LoRA, or fresh parameters first; in one process or several
    "dfwe/run_study.py": 16,  # plan, execute, report: each of the layers once
}
FLOORS_PER_FOLDER = 6
FLOORS = {"dfwe/store": 8}  # a ratchet: a store of small parts
VAGUE = set(
    """found each made told kept asked known said got own given taken held begun shown drawn chosen others everything
    anything what whose there then""".split()  # noqa: SIM905
)
VAGUE_SHARE = 0.003
NO_OPENINGS = {"what", "which", "how", "whether", "where", "who", "yes", "no"}
VERB_SHARE = 0.90
TEST_NAME_LENGTH, LONG_TEST_NAMES_RATCHET = 60, 161
SMALL_FILE, SMALL_FILES = 60, 60
# the ratchet went up for new rooms: decoder-only models, experts from elsewhere, preflight, methods, recipes, cards,
# LoRA, scoring, several processes, the Python API, experts on disk, models on several devices, students,
# rows over targets and seeds, heads and label orders of experts from elsewhere, mended faults
LINES, LINES_RATCHET = 25_000, 51_000
TESTS_TO_CODE = 0.8
VERBS = set(
    """accept add adapt adjust align allow append apply arrange ask assign average batch begin bind bound bring build
    cache call cancel capture carry cast change check choose clear clip close collect combine compare complete compose
    compute configure connect continue convert copy count create cut decide decode define delete delta derive describe
    detect disable discard divide download draw drop elect empty enable encode end ensure estimate evaluate exclude
    execute expand explain export extend extract fail fetch fill filter find finish fit flatten follow format freeze
    gather generate get give group guard halve handle hash hide hold identify ignore implement import include
    initialize insert install instantiate iterate join keep kill label limit link list load locate lock log look lower
    make map mark mask match measure merge mix move name normalize note observe open order pad parse pass pick place
    plan predict prepare print project propose protect provide prune publish put raise rank read record reduce refuse
    register release remove rename render repeat replace replay report rescale resample reserve reset resolve restore
    restrict resume return reuse rewrite round run sample save say scale schedule score search see select send
    serialize set share shorten show shrink shuffle silence simulate skip solve sort split stack start stop store
    strip submit subtract sum suspend switch take test tokenize track train transform translate trim try tune turn
    unpack update upload use validate verify wait walk warn weigh weight wrap write yield""".split()  # noqa: SIM905
)


class Module:
    """One Python file."""

    def __init__(self, path: Path) -> None:
        self.path = path.relative_to(ROOT).as_posix()
        self.text = path.read_text(encoding="utf8")
        self.num_lines = self.text.count("\n")
        self.tree = ast.parse(self.text)
        parts = path.relative_to(ROOT).with_suffix("").parts
        self.name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @cached_property
    def imports(self) -> set[str]:
        """Names of our own modules that it imports, anywhere."""
        return own_imports(ast.walk(self.tree))

    @cached_property
    def functions(self) -> list[ast.FunctionDef]:
        """All functions and methods."""
        return [node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef)]


def own_imports(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the names of our own modules that these statements import."""
    names = set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "dfwe":
            names.add(node.module)
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if alias.name.split(".")[0] == "dfwe"}
    return names


@cache
def modules(folder: str) -> tuple[Module, ...]:
    """Read all files of a folder, empty `__init__.py` apart."""
    read = [Module(path) for path in sorted((ROOT / folder).rglob("*.py"))]
    return tuple(module for module in read if module.num_lines > 3 or not module.path.endswith("__init__.py"))


def bound_names(tree: ast.AST) -> list[str]:
    """List every name that is bound: variables, arguments, functions, classes."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.append(node.id)
        elif isinstance(node, ast.arg):
            names.append(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
    return names


def openings() -> list[str]:
    """List the first word of each function's docstring, in lower case, properties apart."""
    words = []
    for module in modules("dfwe"):
        for function in module.functions:
            text = (ast.get_docstring(function) or "").lstrip("`'\"(")
            if text and not is_property(function):
                words.append(text.split()[0].strip(".,;:`'\"").lower())
    return words


def is_property(function: ast.FunctionDef) -> bool:
    """Return whether a function is read as a value."""
    decorators = {ast.unparse(node).rsplit(".", 1)[-1] for node in function.decorator_list}
    return not decorators.isdisjoint({"property", "cached_property"})


def longest_chain(graph: dict[str, set[str]]) -> list[str]:
    """Return the longest chain of imports in a graph without cycles."""

    @cache
    def chain(name: str) -> tuple[str, ...]:
        return max(((name, *chain(other)) for other in graph[name]), key=len, default=(name,))

    return list(max(map(chain, graph), key=len, default=()))


def test_folders_have_few_files():
    counts = Counter(Path(module.path).parent.as_posix() for module in modules("dfwe"))
    assert {name: count for name, count in counts.items() if count > FILES_PER_FOLDER} == {}


def test_files_import_few_modules():
    counts = {module.path: len(module.imports) for module in modules("dfwe")}
    wide = {path: count for path, count in counts.items() if count > FILES.get(path, IMPORTS_PER_FILE)}
    assert wide == {}


def test_folders_have_few_import_floors():
    folder_of = {module.name: Path(module.path).parent.as_posix() for module in modules("dfwe")}
    folders = defaultdict(dict)
    for module in modules("dfwe"):
        imports = own_imports(module.tree.body)  # when it is loaded: not for types alone, nor in a function
        folder = folder_of[module.name]
        folders[folder][module.name] = {name for name in imports if folder_of.get(name) == folder}
    chains = {folder: longest_chain(graph) for folder, graph in folders.items()}
    assert {
        folder: chain for folder, chain in chains.items() if len(chain) > FLOORS.get(folder, FLOORS_PER_FOLDER)
    } == {}


def test_class_names_mean_one_thing():
    owners = defaultdict(set)
    for module in modules("dfwe"):
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef):
                owners[node.name].add(module.path)
    assert {name: sorted(paths) for name, paths in owners.items() if len(paths) > 1} == {}


def test_names_are_not_vague():
    names = [name.strip("_").lower() for module in modules("dfwe") for name in bound_names(module.tree)]
    share = sum(name in VAGUE for name in names) / len(names)
    assert share <= VAGUE_SHARE


def test_docstrings_do_not_open_with_a_question_word():
    assert [word for word in openings() if word in NO_OPENINGS] == []


def test_docstrings_open_with_a_verb():
    words = openings()
    share = sum(word in VERBS for word in words) / len(words)
    assert share >= VERB_SHARE


def test_test_names_are_short():
    names = [function.name for module in modules("tests") for function in module.functions]
    long = [name for name in names if name.startswith("test_") and len(name) > TEST_NAME_LENGTH]
    assert len(long) <= LONG_TEST_NAMES_RATCHET, long[:5]


def test_small_files_are_rare():
    small = [module.path for module in modules("dfwe") if module.num_lines <= SMALL_FILE]
    assert len(small) <= SMALL_FILES, small


def test_package_is_small_and_tested():
    lines = {folder: sum(module.num_lines for module in modules(folder)) for folder in ("dfwe", "tests")}
    assert lines["dfwe"] <= max(LINES, LINES_RATCHET)
    assert lines["tests"] >= TESTS_TO_CODE * lines["dfwe"]


@pytest.mark.parametrize(
    ("graph", "chain"),
    [({"a": {"b", "c"}, "b": {"c"}, "c": set()}, ["a", "b", "c"]), ({"a": set()}, ["a"])],
)
def test_longest_chain_follows_imports(graph, chain):
    assert longest_chain(graph) == chain


def test_bound_names_cover_arguments_and_variables():
    assert sorted(bound_names(ast.parse("def f(a):\n    b = a\nclass C: pass"))) == ["C", "a", "b", "f"]
