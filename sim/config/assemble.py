"""Reads the files below one root and puts worlds and scenarios together, collecting all problems.

Decides which file a name means, that each is read once, and the order in which a scenario takes what it
extends. Leaves how values are merged to `merge`, and the experiment around it to `load`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sim.config.company import add_company
from sim.config.explain import (
    CHANGEABLE,
    PROVENANCE,
    RUN_SETTINGS,
    S,
    annotation_at,
    find_near,
    listed,
    problems_of,
    unknown_key,
    validate_section,
)
from sim.config.merge import DEPTH, Draft, Setting, add_mineral, push_sources, settings_of
from sim.config.schema import ScenarioFile, Source, World
from sim.config.tree import COMMAND_LINE, Keys, Tree, mapping_or_empty, read_yaml, shown, split, stems
from sim.errors import ConfigError, Problem, did_you_mean


class Loader:
    """Reads the files below one root, each once, and collects problems.

    Parameters
    ----------
    root : Path
        Directory that holds ``configs``.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.problems: list[Problem] = []
        self.complete = True
        self._files: dict[str, Tree | None] = {}

    def read(self, name: str) -> Tree | None:
        """Return a file by its name relative to the root; None, and problems, if it cannot be read."""
        if name not in self._files:
            try:
                self._files[name] = read_yaml(self.root / name, name)
            except ConfigError as error:
                self.problems += error.problems
                self._files[name] = None
                self.complete = False
        return self._files[name]

    def validate(self, model: type[S], raw: Mapping[str, Any], tree: Tree) -> S | None:
        """Return a validated section; None, and problems, if it is wrong."""
        try:
            return validate_section(model, raw, "", tree)
        except ConfigError as error:
            self.problems += error.problems
            return None

    def exists(self, name: str) -> bool:
        """Whether there is such a file below the root."""
        return (self.root / name).is_file()

    def finish(self) -> None:
        """Raise all problems found, if any."""
        if self.problems:
            raise ConfigError(dict.fromkeys(self.problems))

    # -- base world -------------------------------------------------------------------------------------

    @cached_property
    def sources(self) -> dict[str, Source]:
        """Key -> source."""
        tree = self.read("configs/sources.yaml") or Tree()
        found = {}
        for key, raw in tree.values.items():
            try:
                found[key] = Source.model_validate(raw)
            except ValidationError as error:
                self.problems += problems_of(error, Source, raw, (key,), tree)
        return found

    def base(self, minerals: Sequence[str], behaviour: str, asked: Tree) -> Tree:
        """Return the merged world of some mineral files, before any scenario.

        Parameters
        ----------
        minerals : sequence of str
            Files of ``configs/minerals``.
        behaviour : str
            File of ``configs/behaviour``.
        asked : Tree
            The experiment that names them, for messages.
        """
        world = Tree({**{part: {} for part in ("minerals", *DEPTH)}, "policies": {}})
        countries = self.read("configs/countries.yaml") or Tree()
        allowed = ("countries", "blocs", "governance")
        for key in allowed:
            given = push_sources(countries.values.get(key, {}), annotation_at(World, (key,)))
            world.put((key,), given, countries.below((key,)))
        unknown = (key for key in countries.values if key not in allowed)
        self.problems += [countries.problem((key,), unknown_key(key, allowed)) for key in unknown]
        if (file := self._named(behaviour, ("configs/behaviour",), asked, ("behaviour",))) is not None:
            world.put(("behaviour",), dict(file.values), file.below(()))
        for place, name in enumerate(minerals):
            stated = ("world", str(place)) if len(minerals) > 1 else ("world",)
            if (file := self._named(name, ("configs/minerals",), asked, stated)) is not None:
                found = add_mineral(world, file, name)
                self.problems += found
                self.complete &= not found
        return world

    def lay_over(self, world: Tree, companies: Sequence[str], asked: Tree, files: Sequence[Path]) -> list[str]:
        """Lay companies over a base world; return the names of those that could be.

        Parameters
        ----------
        companies : sequence of str
            Files of ``configs/companies`` that an experiment names.
        files : sequence of Path
            Files that may stand anywhere.
        """
        many = isinstance(asked.values.get("companies"), list)
        trees = [
            self._named(name, ("configs/companies",), asked, ("companies", str(place)) if many else ("companies",))
            for place, name in enumerate(companies)
        ]
        for path in files:
            try:
                trees.append(read_yaml(path, str(path)))
            except ConfigError as error:
                self.problems += error.problems
                self.complete = False
        names = []
        for tree in trees:
            if tree is None or not world.values["materials"]:
                continue
            found = add_company(world, tree)
            self.problems += found
            self.complete &= not found
            names += [] if found else [str(tree.values["company"])]
        return names

    def _named(self, name: str, folders: Sequence[str], asked: Tree, stated: Keys) -> Tree | None:
        """Return the file of this name in the first folder that has it."""
        for folder in folders:
            if self.exists(f"{folder}/{name}.yaml"):
                return self.read(f"{folder}/{name}.yaml")
        known = [stem for folder in folders for stem in stems(self.root / folder)]
        where = " or ".join(folders)
        self.complete = False
        message = f"got '{name}'. No such file in {where}.{did_you_mean(name, known)}"
        self.problems.append(asked.problem(stated, message))
        return None

    # -- scenarios --------------------------------------------------------------------------------------

    def scenario(
        self, name: str, base: Tree, asked: Tree, stated: Keys, folders: Sequence[str] = ("configs/scenarios",)
    ) -> Draft | None:
        """Return a scenario on its base world: what it extends first, each file once, then its own."""
        lineage: dict[str, tuple[ScenarioFile, Tree]] = {}
        if not self._collect(name, folders, asked, stated, (), lineage):
            return None
        draft = Draft(name, base.copy())
        for record, tree in lineage.values():
            self._extend(draft, record, tree)
        return draft

    def _collect(
        self,
        name: str,
        folders: Sequence[str],
        asked: Tree,
        stated: Keys,
        chain: Keys,
        lineage: dict[str, tuple[ScenarioFile, Tree]],
    ) -> bool:
        """Add a file after all it extends; false if any of them is wrong."""
        if name in chain:
            circle = " -> ".join((*chain[chain.index(name) :], name))
            message = f"got '{name}'. Scenarios extend each other in a circle: {circle}."
            self.problems.append(asked.problem(stated, message))
            return False
        if name in lineage:
            return True
        tree = self._named(name, folders, asked, stated)
        record = None if tree is None else self.validate(ScenarioFile, tree.values, tree)
        if tree is None or record is None:
            return False
        both, chain = ("configs/scenarios", "configs/policies"), (*chain, name)
        many = isinstance(tree.values.get("extends"), list)
        right = [
            self._collect(base, both, tree, ("extends", str(place)) if many else ("extends",), chain, lineage)
            for place, base in enumerate(record.extends)
        ]
        lineage[name] = (record, tree)
        return all(right)

    def _extend(self, draft: Draft, record: ScenarioFile, tree: Tree) -> None:
        """Put one file's policies and changes on a draft."""
        draft.title, draft.question = record.title, record.question or draft.question
        draft.counterfactual |= record.counterfactual
        inherited = {key: tree.values[key] for key in PROVENANCE if key in tree.values}
        for name, raw in record.policies.items():
            new = name not in draft.policies and "source" not in raw and "source" in inherited
            draft.add_policy(("policies", name), {**inherited, **raw} if new else raw, tree)
        for key, given in (("demand", record.demand), ("supply_growth", record.supply_growth)):
            if given is not None:
                draft.follow("demand_path" if key == "demand" else key, given, tree.below((key,)))
        draft.selection = draft.selection if record.selection is None else (record.selection, tree)
        for setting in settings_of(tree):
            self.apply(setting, [draft])

    def apply(self, setting: Setting, drafts: Sequence[Draft]) -> list[Draft]:
        """Set a value in the drafts it applies to and return them.

        A change of a policy applies to the scenarios that have it; any other to all.
        """
        keys = split(setting.address)
        concerned = [d for d in drafts if keys[0] != "policies" or len(keys) < 2 or keys[1] in d.policies]
        if not concerned:
            known = list(dict.fromkeys(name for draft in drafts for name in draft.policies))
            message = f"got '{keys[1]}'. No scenario here has such a policy.{did_you_mean(keys[1], known)}"
            self.problems.append(setting.problem(message + (f" Allowed are {listed(known)}." if known else "")))
        for draft in concerned:
            wrong = _refusal(setting, keys, draft)
            if wrong is None:
                draft.set(setting)
            else:
                self.problems.append(setting.problem(wrong))
        return concerned

    def sweep(self, experiment: Tree, drafts: Sequence[Draft], references: Sequence[str]) -> list[Draft]:
        """Return the drafts, each followed by its variants: one per address and value.

        References are left as they are, unless there is nothing else; a policy's value is swept where the
        policy is.
        """
        addresses = list(mapping_or_empty(experiment.values.get("sweep")))
        swept = [draft for draft in drafts if draft.name not in references] or list(drafts)
        variants: dict[str, list[Draft]] = {}
        for setting in settings_of(experiment, "sweep"):
            label = setting.address.rpartition(".")[2]
            if sum(address.rpartition(".")[2] == label for address in addresses) > 1:
                label = setting.address
            for place, value in enumerate(setting.value if isinstance(setting.value, list) else []):
                origin = experiment.below(("sweep", setting.address, str(place)))
                fresh = [draft.variant(setting.address, label, value) for draft in swept]
                for draft in self.apply(Setting(setting.address, value, origin), fresh):
                    variants.setdefault(draft.name.partition("@")[0], []).append(draft)
        return [each for draft in drafts for each in (draft, *variants.get(draft.name, []))]


def _refusal(setting: Setting, keys: Keys, draft: Draft) -> str | None:
    """Return why a value cannot be set in a draft; None if it can."""
    if keys[0] == "policies" and len(keys) == 2 and not isinstance(setting.value, Mapping):
        return f"got {shown(setting.value)}. A policy is a mapping; name one value in it."
    given = setting.place.file == COMMAND_LINE
    return find_near(setting.address, draft.tree, (*CHANGEABLE, *RUN_SETTINGS) if given else CHANGEABLE)
