"""An error says where, what was given, what is allowed and what to do."""

from sim.errors import ConfigError, Problem, did_you_mean

COVER = Problem(
    "consumers.JPN.cobalt.cover",
    "got '60'. A duration needs a unit; write '60 d'.",
    "configs/scenarios/embargo.yaml",
    14,
)
MATERIAL = Problem("policies.drc_quota.material", "got 'cobolt'.", "configs/scenarios/embargo.yaml", 22)


def test_problems_are_listed_by_file_and_line():
    error = ConfigError([MATERIAL, COVER])
    assert str(error) == (
        "configs/scenarios/embargo.yaml, 2 problems:\n"
        "  line 14, consumers.JPN.cobalt.cover: got '60'. A duration needs a unit; write '60 d'.\n"
        "  line 22, policies.drc_quota.material: got 'cobolt'."
    )


def test_one_problem_is_not_plural():
    assert "embargo.yaml, 1 problem:" in str(ConfigError([COVER]))


def test_files_keep_the_order_in_which_they_were_found():
    other = Problem("seed", "got '-1'.", "experiments/a.yaml", 3)
    text = str(ConfigError([COVER, other]))
    assert text.index("embargo.yaml") < text.index("experiments/a.yaml")


def test_a_problem_without_file_or_line_is_still_readable():
    assert str(ConfigError([Problem("", "nothing to run.")])) == "configuration, 1 problem:\n  nothing to run."


def test_problems_are_kept():
    assert ConfigError(iter([COVER, MATERIAL])).problems == (COVER, MATERIAL)


def test_did_you_mean_the_nearest_word_whatever_its_case():
    assert did_you_mean("cobolt", ["copper", "cobalt"]) == " Did you mean 'cobalt'?"
    assert did_you_mean("jpn", ["JPN", "USA"]) == " Did you mean 'JPN'?"


def test_did_you_mean_nothing_where_nothing_is_near():
    assert did_you_mean("xyz", ["copper", "cobalt"]) == ""
    assert did_you_mean("xyz", []) == ""
