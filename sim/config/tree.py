"""Reads YAML into plain values that keep the file and line of every key.

Decides what may be YAML here (1.2, UTF-8, every key once, plain mappings and lists) and how a value is
looked up, replaced and blamed. Leaves what the values mean to `schema`, and what is wrong with them to
`explain`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StreamMark, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from sim.errors import ConfigError, Problem, did_you_mean

Keys = tuple[str, ...]

COMMAND_LINE = "command line"
"""Stands for a file where a value was given with ``--set``."""


# -- plain values ---------------------------------------------------------------------------------------


def split(address: str) -> Keys:
    """Return the parts of a dotted address."""
    return tuple(address.split(".")) if address else ()


def shown(raw: object) -> str:
    """Return how messages show a value that was given."""
    names = {dict: "a mapping", list: "a list", type(None): "nothing"}
    return names.get(type(raw), f"'{raw}'")


def mapping_or_empty(raw: Any) -> Mapping[str, Any]:
    """Return a mapping as it is, and an empty one for anything else, which validation reports."""
    return raw if isinstance(raw, Mapping) else {}


@dataclass(frozen=True)
class Origin:
    """Where a value stands: a file relative to the root, and a line counted from 1."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


UNKNOWN = Origin("configuration")
"""Of what no file states."""


@dataclass
class Tree:
    """Plain values with the origin of every key path.

    Attributes
    ----------
    values : dict
        Nested mappings, lists and scalars; keys are text as written.
    origin : dict
        Key path -> where it was stated.
    """

    values: dict[str, Any] = field(default_factory=dict)
    origin: dict[Keys, Origin] = field(default_factory=dict)

    def where(self, keys: Keys) -> Origin:
        """Return where a key path was stated, or the nearest of the mappings around it."""
        around = (self.origin.get(keys[:end]) for end in range(len(keys), -1, -1))
        return next((place for place in around if place is not None), UNKNOWN)

    def problem(self, address: str | Keys, message: str) -> Problem:
        """Return a problem at an address, with the file and line it was stated on."""
        keys = split(address) if isinstance(address, str) else address
        origin = self.where(keys)
        return Problem(".".join(keys), message, origin.file, origin.line)

    def get(self, keys: Keys, default: Any = None) -> Any:
        """Return the value at a key path, or the default if there is none."""
        node: Any = self.values
        for key in keys:
            if isinstance(node, Mapping) and key in node:
                node = node[key]
            elif isinstance(node, list) and key.isdigit() and int(key) < len(node):
                node = node[int(key)]
            else:
                return default
        return node

    def put(self, keys: Keys, value: Any, origin: Mapping[Keys, Origin]) -> None:
        """Set the value at a key path, replacing what stood there; `origin` is relative to it."""
        for old in [path for path in self.origin if path[: len(keys)] == keys]:
            del self.origin[old]
        self.add(keys, value, origin)

    def add(self, keys: Keys, value: Any, origin: Mapping[Keys, Origin]) -> None:
        """Set the value at a key path where none stood, without looking for what it replaces."""
        node = self.values
        for key in keys[:-1]:
            if not isinstance(node.get(key), dict):
                node[key] = {}
            node = node[key]
        node[keys[-1]] = value
        self.origin.pop(keys, None)
        self.origin.update({keys + path: place for path, place in origin.items()})

    def below(self, keys: Keys) -> dict[Keys, Origin]:
        """Return the origins at and below a key path, relative to it."""
        found = {path[len(keys) :]: place for path, place in self.origin.items() if path[: len(keys)] == keys}
        return found if () in found else {(): self.where(keys), **found}

    def copy(self) -> Tree:
        """Return a tree that may be changed without changing this one."""
        return Tree(copy.deepcopy(self.values), dict(self.origin))


# -- reading YAML ---------------------------------------------------------------------------------------


class _Reader:
    """Turns YAML nodes into plain values, noting the line of every key and the problems met."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.origin: dict[Keys, Origin] = {}
        self.problems: list[Problem] = []
        self.yaml = YAML(typ="safe", pure=False)

    def read(self, text: str) -> Any:
        """Return the plain value of a document (YAML 1.2); None where there is none."""
        try:
            node = self.yaml.compose(text)
            return None if node is None else self._plain(node, ())
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self._add((), f"not YAML: {error.problem or error.context}.", mark)
        except YAMLError as error:
            self._add((), f"not YAML: {str(error).splitlines()[0]}.", None)
        except RecursionError:
            self._add((), "nested too deeply, or an anchor that holds itself.", None)
        return None

    def _add(self, keys: Keys, message: str, mark: StreamMark | None) -> None:
        line = None if mark is None else mark.line + 1
        self.problems.append(Problem(".".join(keys), message, self.file, line))

    def _plain(self, node: Node, keys: Keys) -> Any:
        self.origin.setdefault(keys, Origin(self.file, node.start_mark.line + 1))
        if isinstance(node, ScalarNode):
            return self._scalar(node, keys)
        if node.tag not in ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"):
            self._add(keys, f"got the tag '{node.tag}'. Write plain mappings and lists.", node.start_mark)
        if isinstance(node, SequenceNode):
            return [self._plain(item, (*keys, str(place))) for place, item in enumerate(node.value)]
        return self._mapping(node, keys) if isinstance(node, MappingNode) else None

    def _scalar(self, node: ScalarNode, keys: Keys) -> Any:
        try:
            return self.yaml.constructor.construct_object(node)
        except (YAMLError, ValueError):
            message = f"got '{node.value}'. Not a readable value; put text in quotes."
            self._add(keys, message, node.start_mark)
            return node.value

    def _mapping(self, node: MappingNode, keys: Keys) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            mark = key_node.start_mark
            if not isinstance(key_node, ScalarNode) or key_node.tag == "tag:yaml.org,2002:merge":
                self._add(keys, "a key must be a plain word; write the keys out.", mark)
                continue
            # The text as written, because 2024 and NO are keys like any other.
            key = str(key_node.value)
            path = (*keys, key)
            if key in values:
                message = f"the key '{key}' stands twice, first on line {self.origin[path].line}."
                self._add(path, message, mark)
                continue
            self.origin[path] = Origin(self.file, mark.line + 1)
            values[key] = self._plain(value_node, path)
        return values


def read_yaml(path: Path, name: str) -> Tree:
    """Return the mapping a YAML file holds; `name` is what messages call the file.

    Raises
    ------
    ConfigError
        If the file cannot be read, is not UTF-8 or YAML 1.2, is empty, holds no mapping, or has a key twice.
    """
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError([Problem("", _unreadable(path, error), name)]) from None
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ConfigError([Problem("", "not UTF-8; save the file as UTF-8 text.", name, line)]) from None
    reader = _Reader(name)
    values = reader.read(text)
    if not reader.problems and not isinstance(values, dict):
        given = "the file is empty." if values is None else f"got {shown(values)}. Write 'key: value' lines."
        reader.problems.append(Problem("", given, name, 1))
    if reader.problems:
        raise ConfigError(reader.problems)
    return Tree(values, reader.origin)


def _unreadable(path: Path, error: OSError) -> str:
    if not path.parent.is_dir():
        return f"no such file, and no folder '{path.parent.name}' for it."
    if not isinstance(error, FileNotFoundError):
        return f"cannot be read: {error.strerror}."
    return f"no such file.{did_you_mean(path.stem, stems(path.parent))}"


def stems(folder: Path) -> list[str]:
    """Return the names of the YAML files of a folder, without the ending."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def read_override(text: str) -> tuple[str, Any]:
    """Return address and value of ``ADDRESS=VALUE``; the value is read as YAML.

    Raises
    ------
    ConfigError
        If there is no ``=`` or the value is not YAML.
    """
    address, equals, value = text.partition("=")
    reader = _Reader(COMMAND_LINE)
    plain = reader.read(value)
    if not equals or not address.strip():
        raise ConfigError(
            [Problem("", f"got '{text}'. Write ADDRESS=VALUE, such as behaviour.theta=0.2.", COMMAND_LINE)]
        )
    if reader.problems:
        problems = [replace(problem, address=address.strip(), line=None) for problem in reader.problems]
        raise ConfigError(problems)
    return address.strip(), plain


def find_root(path: Path | str) -> Path:
    """Return the nearest directory around a file that holds ``configs``.

    Raises
    ------
    ConfigError
        If there is none.
    """
    path = Path(path).resolve()
    for folder in path.parents:
        if (folder / "configs").is_dir():
            return folder
    message = "no directory around this file holds 'configs', where minerals and scenarios are looked up."
    raise ConfigError([Problem("", message, path.name)])
