"""What every registered policy must do, whatever its type (style page, section 9)."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from sim.config.schema import Section
from sim.errors import ConfigError
from sim.policies import REGISTRY, Policy
from tests.examples import ACTS_THROUGH_OTHERS, ADDS_ROWS, EXAMPLES, FULL_WORLD, ON, example
from tests.probe import Array, everything, run_block, tiny_case, watch
from tests.promises import Promises

TYPES = sorted(REGISTRY)
REPLICATIONS = 4


def case_with(raw: dict[str, Any], **options: Any) -> Any:
    return tiny_case(files=FULL_WORLD, overrides=ON, policies={"measure": raw}, **options)


@pytest.fixture(scope="module")
def without() -> dict[str, Array]:
    """The world without policies."""
    return everything(run_block(tiny_case(files=FULL_WORLD, overrides=ON), 1, 0, REPLICATIONS))


def test_every_type_has_an_example_here() -> None:
    """A new type is tested as soon as it is registered."""
    assert set(EXAMPLES) == set(REGISTRY)


@pytest.mark.parametrize("kind", TYPES)
def test_it_explains_itself(kind: str) -> None:
    cls = REGISTRY[kind]
    assert issubclass(cls, Policy)
    assert inspect.getdoc(cls) not in (None, inspect.getdoc(Policy))
    inherited = set(Section.model_fields) | {"type"}
    silent = [name for name, field in cls.model_fields.items() if name not in inherited and not field.description]
    assert silent == [], "fields without a description"
    assert cls.act is not Policy.act or cls.enact is not Policy.enact


@pytest.mark.parametrize("kind", TYPES)
def test_outside_the_horizon_it_leaves_no_trace(kind: str, without: dict[str, Array]) -> None:
    """Results are bit-identical to its absence (design section 4)."""
    found = everything(
        run_block(case_with(example(kind, announced="2034-06-01", start="2035-01-01")), 1, 0, REPLICATIONS)
    )
    for name, value in without.items():
        if name.startswith(("spending", "timeline", "ranges")):
            continue
        other = found[name]
        if name == "causes":
            other = other[:, : value.shape[1]]
        if other.shape != value.shape:
            assert kind in ADDS_ROWS, name  # rows of its own, at the end of their market
            continue
        assert (value == other).all(), name


@pytest.mark.parametrize("kind", sorted(ADDS_ROWS))
def test_rows_of_a_plant_that_never_opens_leave_the_others_alone(kind: str, without: dict[str, Array]) -> None:
    """The same for the rows that a project adds: those of the groups that were there are unchanged."""
    calm = run_block(tiny_case(files=FULL_WORLD, overrides=ON), 1, 0, REPLICATIONS).recorder
    more = run_block(case_with(example(kind, start="2035-01-01")), 1, 0, REPLICATIONS).recorder
    places = [more.network.groups.index(group) for group in calm.network.groups]
    for name in ("price_sum", "price_peak", "bill", "min_cover", "any_short"):
        assert (getattr(calm, name) == getattr(more, name)[places]).all(), name
    assert (calm.bins == more.bins[:, places]).all()


@pytest.mark.parametrize("kind", TYPES)
def test_it_acts_and_keeps_the_promises(kind: str, without: dict[str, Array]) -> None:
    """It changes the world; mass closes, nothing is NaN or negative, causes add up, every clearing converges."""
    case = case_with(example(kind))
    watch(case, Promises(), replications=REPLICATIONS)
    block = run_block(case, 1, 0, REPLICATIONS)
    moved = block.recorder.price_sum.sum() != without["price_sum"].sum()
    assert moved != (kind in ACTS_THROUGH_OTHERS)
    assert block.timeline["measure", "in force"] == pytest.approx(61.0)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": "red"}, "colour"),
        ({"start": "soon"}, "start"),
        ({"start": None}, "start"),
        ({"end": "2026-01-01", "duration": "30 d"}, "not both"),
    ],
)
def test_bad_input_is_one_clear_error(kind: str, change: dict[str, Any], message: str) -> None:
    raw = {key: value for key, value in {**example(kind), **change}.items() if value is not None}
    with pytest.raises(ConfigError, match=message) as caught:
        case_with(raw)
    assert "configs/scenarios/what_if.yaml" in str(caught.value)
    assert "line" in str(caught.value)


@pytest.mark.parametrize("kind", TYPES)
def test_missing_keys_are_named(kind: str) -> None:
    for key in EXAMPLES[kind]:
        info = {field.alias or name: field for name, field in REGISTRY[kind].model_fields.items()}[key]
        if info.is_required():
            raw = {name: value for name, value in example(kind).items() if name != key}
            with pytest.raises(ConfigError, match=f"'?{key}'?"):
                case_with(raw)
            break
