"""Quantities are read once, at the border, into t, d, t/d and USD/t."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.units import DAYS_PER_YEAR, DIMENSIONS, ordinal, read_quantity


@pytest.mark.parametrize(
    ("text", "dimension", "expected"),
    [
        ("0.5", "1", 0.5),
        ("50 %", "1", 0.5),
        (0.5, "1", 0.5),
        (3, "1", 3.0),
        ("70 %", "1", 0.7),
        ("904 t", "t", 904.0),
        ("1_000 kg", "t", 1.0),
        ("2 Mt", "t", 2e6),
        ("60 d", "d", 60.0),
        ("6 weeks", "d", 42.0),
        ("45 working_days", "d", 63.0),
        ("1 month", "d", DAYS_PER_YEAR / 12),
        ("12 kt/yr", "t/d", 12000 / DAYS_PER_YEAR),
        ("55 USD/kg", "USD/t", 55000.0),
        ("150 million_USD", "USD", 150e6),
        ("0.3 /yr", "1/d", 0.3 / DAYS_PER_YEAR),
        ("-3 d", "d", -3.0),
        ("1.5e3 t", "t", 1500.0),
        ("2025-04-04", "date", dt.date(2025, 4, 4).toordinal()),
        (dt.date(2025, 4, 4), "date", dt.date(2025, 4, 4).toordinal()),
        (dt.datetime(2025, 4, 4, 12, 0), "date", dt.date(2025, 4, 4).toordinal()),
    ],
)
def test_reads_the_units_of_the_subject(text, dimension, expected):
    assert read_quantity(text, dimension) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "dimension", "message"),
    [
        ("60", "d", "got '60'. A duration needs a unit; write '60 d'."),
        (60, "d", "got '60'. A duration needs a unit; write '60 d'."),
        ("12", "t/d", "got '12'. A flow needs a unit; write '12 kt/yr'."),
        ("60 t", "d", "got '60 t'. 't' is not a unit of this kind; write for example '60 d'."),
        ("5 furlongs", "t", "'furlongs' is not a unit of this kind"),
        ("5 3 t", "t", "'3 t' is not a unit of this kind"),
        ("5 t;x", "t", "'t;x' is not a unit of this kind"),
        ("5 t**t", "t", "'t**t' is not a unit of this kind"),
        ("5 %", "d", "'%' is not a unit of this kind"),
        ("many t", "t", "got 'many t'. Write a quantity such as '904 t'."),
        ("1e999 t", "t", "got '1e999 t'. Write a finite number."),
        (float("nan"), "1", "got 'nan'. Write a finite number."),
        (float("inf"), "1", "got 'inf'. Write a finite number."),
        (True, "1", "got 'True'. Write a quantity"),
        (None, "d", "got 'None'. Write a quantity"),
        ([1], "t", "Write a quantity"),
        (dt.date(2025, 1, 1), "d", "got '2025-01-01'. Write a quantity"),
        ("April 2025", "date", "got 'April 2025'. Write a date as year-month-day"),
        (2025, "date", "got '2025'. Write a date as year-month-day"),
    ],
)
def test_refuses_in_plain_words(text, dimension, message):
    with pytest.raises(ValueError) as caught:
        read_quantity(text, dimension)
    assert message in str(caught.value)


def test_a_unit_of_a_material_counts_in_tonnes_of_its_basis():
    units = {"t_LCE": 0.1879, "t_element": 1.17}
    assert read_quantity("10 t_LCE/yr", "t/d", units) == pytest.approx(1.879 / DAYS_PER_YEAR)
    assert read_quantity("2 t_element", "t", units) == pytest.approx(2.34)


def test_a_unit_of_a_material_below_the_line_divides():
    assert read_quantity("10 USD/t_LCE", "USD/t", {"t_LCE": 0.2}) == pytest.approx(50.0)


def test_a_unit_of_a_material_is_unknown_elsewhere():
    with pytest.raises(ValueError, match="'t_LCE' is not a unit of this kind"):
        read_quantity("10 t_LCE", "t")


def test_half_an_alias_is_not_an_alias():
    with pytest.raises(ValueError, match="'t_LCE_x' is not a unit of this kind"):
        read_quantity("10 t_LCE_x", "t", {"t_LCE": 0.2})


@given(st.text(max_size=30), st.sampled_from(DIMENSIONS))
def test_any_text_is_read_or_refused_with_what_was_given(text, dimension):
    try:
        read_quantity(text, dimension)
    except ValueError as error:
        assert f"got '{text}'" in str(error)


@given(st.floats(-1e12, 1e12), st.sampled_from(["t", "d", "t/d", "USD/t"]))
def test_base_units_are_read_back_exactly(number, dimension):
    assert read_quantity(f"{number!r} {dimension}", dimension) == number


def test_ordinal_agrees_with_dates_read():
    assert ordinal(dt.date(2025, 4, 4)) == read_quantity("2025-04-04", "date")
