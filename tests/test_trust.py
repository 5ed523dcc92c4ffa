"""What can run code is named here, module by module: whoever adds a way must add it here and to docs/trust.md."""

import ast
from pathlib import Path

import pytest

import dfwe

ROOT = Path(dfwe.__file__).parent
SOURCES = {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text("utf-8")) for path in sorted(ROOT.rglob("*.py"))}
# what takes a name and gives what it leads to
BY_NAME = {
    "instantiate": {"config/instantiate.py"},  # the user's own configuration
    "resolve_name": {"config/foreign.py", "merging/files/recipe_methods.py"},  # behind --trust; of conf/merge alone
    # of dfwe's own packages and commands alone; and a metric that the user's own YAML or --metric names
    "import_module": {"cli.py", "config/foreign.py", "metrics/function.py"},
    "exec_module": {"metrics/function.py"},  # likewise, of a file
    "get_class": {"config/instantiate.py"},  # the user's own configuration
    "get_method": set(),
    "get_object": {"config/instantiate.py"},  # likewise: is a metric a class or a function?
    "eval": {"values/signature.py"},  # annotations of classes that the user's own configuration names
    "exec": set(),
    "compile_command": set(),
    "execfile": set(),
    "Unpickler": set(),
    "unsafe_load": set(),
    "full_load": set(),
    "register_new_resolver": {"config/run_name.py", "config/task_options.py"},
}


def calls(tree):
    """The names that are called, with their keywords."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            owner = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
            yield owner, name, {each.arg: ast.unparse(each.value) for each in node.keywords}


def users(of):
    return {file for file, tree in SOURCES.items() for owner, name, _ in calls(tree) if name == of and owner != "self"}


@pytest.mark.parametrize(("name", "files"), BY_NAME.items(), ids=list(BY_NAME))
def test_names_become_objects_in_known_places_alone(name, files):
    found = users(name)
    if name == "eval":  # model.eval() is torch's
        found = {file for file in found if any(n == name and not owner for owner, n, _ in calls(SOURCES[file]))}
    assert found == files


def test_nothing_is_loaded_by_pickle():
    for file, tree in SOURCES.items():
        for owner, name, keywords in calls(tree):
            if name == "load" and owner == "torch":
                assert keywords["weights_only"] == "True", file
            if name == "load" and owner == "np":
                assert keywords.get("allow_pickle", "False") == "False", file
            if file != "training/ranks.py":  # what the study's own processes send each other
                assert (owner, name) not in {("pickle", "load"), ("pickle", "loads"), ("joblib", "load")}, file
            assert keywords.get("allow_pickle", "False") == "False", file
            assert keywords.get("trust_remote_code", "False") == "False", file


def test_templates_are_dfwes_own_and_escape():
    environments = [
        (file, keywords)
        for file, tree in SOURCES.items()
        for _, name, keywords in calls(tree)
        if name in ("Environment", "Template", "from_string", "environment") and "autoescape" in ast.unparse(tree)
    ]
    escapes = sorted((file, keywords["autoescape"]) for file, keywords in environments)
    # a card is Markdown, in which a filter of its own escapes what users named (tests/report/test_model_card.py)
    page, card = "report/html/page.py", "report/model_card.py"
    assert escapes == [(page, "True"), (page, "autoescape"), (card, "False")]
