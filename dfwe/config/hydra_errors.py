"""Errors of Hydra, OmegaConf and YAML in dfwe's words: one line with the key or option, its file, and what to do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import GrammarParseError, OmegaConfBaseException
from yaml import MarkedYAMLError, YAMLError

from dfwe.conf import conf_dir
from dfwe.errors import ConfigurationError, DfweError, did_you_mean
from dfwe.io.strict_yaml import read_yaml, reason_of

_KINDS = {"Integer": "a whole number", "Float": "a number", "Boolean": "true or false", "bool": "true or false"}
_ADVICE = ("Config search path:", "See https:", "To append to your", "full_key:", "object_type=", "reference_type=")


@contextmanager
def in_our_words(folders: Sequence[Path] = ()) -> Iterator[None]:
    """Raise whatever goes wrong while Hydra composes as a ConfigurationError; `folders` are the user's own of YAML."""
    try:
        yield
    except (HydraException, OmegaConfBaseException, YAMLError, UnicodeDecodeError) as error:
        mistake = ConfigurationError(words(error, folders=folders))
        mistake.__cause__ = error
    else:
        return
    raise mistake


def words(error: BaseException, *, folders: Sequence[Path] = ()) -> str:
    """Return what the error of a composition says to the user, in one line."""
    files = _Files((*folders, conf_dir()))
    cause = error.__cause__ or error.__context__
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _missing_option(error, files=files)
    if isinstance(error, OverrideParseException):
        return _unreadable(error)
    if isinstance(error, ConfigCompositionException):
        return _composition(str(error), cause=cause, files=files)
    if isinstance(error, OmegaConfBaseException):
        return _value(error, files=files)
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        return f"{error.problem_mark.name}{reason_of(error)}"
    return files.broken() or _one_line(str(error))


def unresolved(config: DictConfig) -> str:
    """Return what is wrong with the first interpolation that leads nowhere; nothing where all lead somewhere."""
    for key, node in _interpolations(config):
        try:
            node._dereference_node()
        except OmegaConfBaseException as error:
            files = _Files((*_command_folders(), conf_dir()))
            return _dead_end(key, str(node._value()), error=error, root=config, files=files)
    return ""


def no_option(overrides: Sequence[str]) -> str:
    """Return what is wrong with a group that is set to what names no option, which Hydra says without the group."""
    groups = _Files((conf_dir(),)).groups()
    for override in overrides:
        group, _, value = override.lstrip("+").partition("=")
        if group in groups and re.fullmatch(r"null|true|false|[-+.\d]*", value, re.IGNORECASE):
            return f"{group} must be the name of an option, or a list of names, not {value or 'nothing'}"
    return ""


def _missing_option(error: MissingConfigException, *, files: _Files) -> str:
    group, _, option = str(error.missing_cfg_file).rpartition("/")
    options = sorted(error.options or files.options(group))
    if not group:
        return f"there is no configuration '{option}'{did_you_mean(option, files.options(''))}"
    choose = f": choose one of {', '.join(options)}" if options else ""
    return f"{group}={option}: unknown option '{option}'{did_you_mean(option, options)}{choose}"


def _unreadable(error: OverrideParseException) -> str:
    """Say what is wrong with an override's form."""
    if error.override.startswith("+") and "=" not in error.override:
        return f"'{error.override}' is not key=value: write {error.override}=... in one word"
    if "=" not in error.override:
        return f"'{error.override}' is not key=value: write for instance target={error.override.strip('-+~') or 'meld'}"
    reason = str(error).splitlines()[0].removeprefix("LexerNoViableAltException: ")
    reason = "" if reason == error.override else f" ({reason})"
    key, _, value = error.override.partition("=")
    return f"{error.override} cannot be read{reason}: quote the value for Hydra and the shell: '{key}=\"{value}\"'"


def _composition(text: str, *, cause: BaseException | None, files: _Files) -> str:
    first = text.splitlines()[0] if text else ""
    if match := re.match(r"Could not override '(.+?)'\. No match|Could not override '(.+@.+)'\.", first):
        key = match[1] or match[2]
        return f"{key} is not chosen yet, so that it cannot be changed: write +{key}=..."
    if match := re.match(r"Multiple values for (\S+?)\. ", first):
        return f"{match[1]} is given twice: write {match[1]}=... once, without +"
    if match := re.match(r"Ambiguous value for argument '(.+?)=(.+)'", first):
        return f"{match[1]}={match[2]} has several values: add -m to sweep over them, or write {match[1]}=[{match[2]}]"
    if match := re.match(r"Could not append to config\. An item is already at '(.+)'", first):
        return f"{match[1]} is there already: write {match[1]}=... without +"
    where = ""
    if match := re.match(r"In '(.+?)': ", first):
        where = f"{files.config(match[1])}: "
    if isinstance(cause, OmegaConfBaseException):
        return where + _value(cause, files=files, override=text)
    return _one_line(text)


def _value(error: OmegaConfBaseException, *, files: _Files, override: str = "") -> str:
    """Say what is wrong with a key or its value."""
    key, text = str(error.full_key or ""), str(error).splitlines()[0] if str(error) else ""
    if re.match(r"Key '.+' (is not in struct|not in '\w+')", text):
        return _unknown_key(error, key=key, files=files)
    if isinstance(error, GrammarParseError):
        return f"{key}: its interpolation cannot be read ({text}){files.place(key, '${')}"
    if "${" in _raw(error) and (root := _root(error)) is not None:
        return _dead_end(key, _raw(error), error=error, root=root, files=files)
    value = override.partition("=")[2].splitlines()[0] if "override " in override else None
    if match := re.match(r"Value '(.*)' (?:of type '.+' could not be converted to|is not a valid) (\w+)", text):
        return f"{key} must be {_KINDS.get(match[2], match[2])}, not '{match[1]}'"
    if "is not a ListConfig, list or tuple" in text:
        return f"{key} must be a list, such as [{value or '...'}]"
    if match := re.match(r"Invalid type assigned: .* value: (.*)", text):
        return f"{key} has keys of its own and cannot be '{match[1]}': set {key}.KEY=..."
    return f"{key}: {text}" if key else text


def _dead_end(key: str, raw: str, *, error: OmegaConfBaseException, root: DictConfig, files: _Files) -> str:
    """Say what is wrong with an interpolation, and which file it stands in."""
    text = str(error).splitlines()[0]
    if match := re.search(r"nterpolation key '(.+)' not found", text):
        text = f"there is no key '{match[1]}'{_close_keys(match[1], root=root)}"
    return f"{key} is {raw}: {text}{files.place(key, raw)}"


def _unknown_key(error: OmegaConfBaseException, *, key: str, files: _Files) -> str:
    root = _root(error)
    if key in files.groups():
        return f"unknown key '{key}': a file of conf/{key} that sets other keys begins with `# @package _global_`"
    if re.fullmatch(r"merges\.\w+", key):
        return f"unknown key '{key}': a further merge is added by +merge@{key}=..., as in +merge@{key}=ties"
    close = _close_keys(key, root=root, groups=files.groups()) if root is not None else ""
    return f"unknown key '{key}'{close}{files.place(key, '')}"


def _close_keys(key: str, *, root: DictConfig, groups: Sequence[str] = ()) -> str:
    """Return the known keys and groups that are most like this one, by their last names first."""
    last = re.split(r"[./]", key)[-1]
    keys = [*_keys(root, of_hydra=key.startswith("hydra")), *groups]
    names = {re.split(r"[./]", name)[-1] for name in keys}
    longer = [name for name in names if name.startswith(f"{last}_")]
    close = longer or difflib.get_close_matches(last, names, n=2, cutoff=0.75)
    near = [name for name in dict.fromkeys(keys) if re.split(r"[./]", name)[-1] in close]
    near.sort(key=lambda name: -difflib.SequenceMatcher(None, key, name).ratio())
    return f" (did you mean {' or '.join(near[:2])}?)" if near else ""


def _keys(node: Any, *, of_hydra: bool, prefix: str = "") -> Iterator[str]:
    """Return the dotted names of all keys; those of Hydra only where it is asked for them."""
    if not OmegaConf.is_dict(node) or node._is_none() or node._is_missing() or node._is_interpolation():
        return
    for name in node:
        if prefix or str(name) != "hydra" or of_hydra:
            yield f"{prefix}{name}"
            yield from _keys(node._get_node(name), of_hydra=of_hydra, prefix=f"{prefix}{name}.")


def _interpolations(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Return the nodes that are interpolations with their dotted names."""
    if node is None or node._is_missing():
        return
    if node._is_interpolation():
        yield prefix.removesuffix("."), node
    elif OmegaConf.is_config(node) and not node._is_none():
        for name in node if OmegaConf.is_dict(node) else range(len(node)):
            yield from _interpolations(node._get_node(name), f"{prefix}{name}.")


def _command_folders() -> list[Path]:
    """Return the user's folders of YAML, where a command composes."""
    if not HydraConfig.initialized():
        return []
    sources = HydraConfig.get().runtime.config_sources
    return [Path(source.path) for source in sources if source.schema == "file" and source.provider == "command-line"]


def _root(error: OmegaConfBaseException) -> DictConfig | None:
    node = error.parent_node
    root = None if node is None else node._get_root()
    return root if isinstance(root, DictConfig) else None


def _raw(error: OmegaConfBaseException) -> str:
    """Return the value as it was written, interpolations unresolved; nothing where it is not known."""
    if error.parent_node is None or error.key is None:
        return ""
    try:
        node = error.parent_node._get_node(error.key)
    except (OmegaConfBaseException, TypeError, KeyError, IndexError):
        return ""
    value = None if node is None else node._value()
    return value if isinstance(value, str) else ""


def _one_line(text: str) -> str:
    """Return Hydra's words without its advice, which is for developers."""
    lines = [line.strip() for line in text.splitlines()]
    return ": ".join(line.rstrip(".:") for line in lines if line and not line.startswith(_ADVICE)) or "not readable"


class _Files:
    """The YAML files that a composition may have read."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folder for folder in folders if folder.is_dir())

    def options(self, group: str) -> list[str]:
        """Return the options of a group."""
        files = {path.stem for folder in self._folders for path in (folder / group).glob("*.yaml")}
        try:
            stored = {name.removesuffix(".yaml") for name in ConfigStore.instance().list(group)} if group else set()
        except OSError:  # no such group
            stored = set()
        return sorted(files | stored)

    def groups(self) -> list[str]:
        """Return the groups."""
        paths = [(folder, path.parent) for folder in self._folders for path in folder.rglob("*.yaml")]
        return sorted({parent.relative_to(folder).as_posix() for folder, parent in paths} - {"."})

    def config(self, name: str) -> str:
        """Return the path of a configuration that Hydra names `group/option`."""
        paths = [folder / f"{name}.yaml" for folder in self._folders]
        return str(next((path for path in paths if path.is_file()), name))

    def place(self, key: str, value: str) -> str:
        """Return " (FILE, line N)", where the key stands with this value, if a file holds it."""
        wanted = re.compile(rf"(^|[\s{{,]){re.escape(key.rpartition('.')[2])}\s*:.*{re.escape(value)}")
        for folder in self._folders:
            for path in sorted(folder.rglob("*.yaml")) if value else ():
                for number, line in enumerate(path.read_text(encoding="utf8", errors="replace").splitlines(), start=1):
                    if wanted.search(line):
                        return f" ({path}, line {number})"
        return ""

    def broken(self) -> str:
        """Return what is wrong with the first file that cannot be read; nothing where all can."""
        for folder in self._folders:
            for path in sorted(folder.rglob("*.yaml")):
                try:
                    read_yaml(path)
                except DfweError as error:
                    return str(error)
        return ""
