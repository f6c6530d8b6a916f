"""Which variables of the environment are taken for a mistake."""

import re

import click
import pytest

from pexservice.cli import commands
from pexservice.cli.environment import check, check_completion
from pexservice.cli.options import known_variables

KNOWN = known_variables(commands)


def test_options_of_every_command_are_known() -> None:
    """Those of the service, and those that only one command has."""
    assert {"PEXSERVICE_PORT", "PEXSERVICE_URL", "PEXSERVICE_DATA_DIR", "PEXSERVICE_UDS"} <= KNOWN


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("PEXSERVICE_PROT", "8099", "no option is set by the variable PEXSERVICE_PROT. Did you mean PEXSERVICE_PORT?"),
        ("PEXSERVICE_MAX_CONNECTION", "1", "Did you mean PEXSERVICE_MAX_CONNECTIONS?"),
        ("PEXSERVICE_", "1", "no option is set by the variable PEXSERVICE_."),
        ("PEXSERVICE_XYZZY", "1", "'pexservice serve --help' names"),
        ("PEXSERVICE_port", "1", "Did you mean PEXSERVICE_PORT?"),
        ("PEXSERVICE_PORT", "tcp://10.0.0.1:80", "'enableServiceLinks: false'"),
        ("PEXSERVICE_SERVICE_HOST", "10.0.0.1", "'enableServiceLinks: false'"),
        ("PEXSERVICE_SERVICE_PORT_HTTP", "80", "'enableServiceLinks: false'"),
        ("PEXSERVICE_PORT_80_TCP_ADDR", "10.0.0.1", "'enableServiceLinks: false'"),
        (
            "PEXSERVICE_DATA_DIR",
            '"./data"',
            "the value of PEXSERVICE_DATA_DIR is in quotes, which would be part of it. Wr",
        ),
        ("PEXSERVICE_PORT", "'8081'", "in quotes"),
        ("PEXSERVICE_HOST", '""', "in quotes"),
    ],
)
def test_a_variable_that_nobody_can_mean_is_an_error(name: str, value: str, message: str) -> None:
    """One that no option reads, one that an orchestrator made, one whose quotes nobody took off."""
    with pytest.raises(click.UsageError, match=re.escape(message)):
        check(KNOWN, list, "pexservice", {name: value})


def test_one_of_another_command_is_let_be() -> None:
    """Whoever sets a variable for one command sets it for all of them; those of the others are looked at only then."""
    check({"PEXSERVICE_PORT"}, lambda: KNOWN, "pexservice", {"PEXSERVICE_URL": "x", "PEXSERVICE_PORT": "1"})
    check({"PEXSERVICE_PORT"}, lambda: pytest.fail("known at once"), "pexservice", {"PEXSERVICE_PORT": "1"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PEXSERVICE_PORT", "8081"),
        ("PEXSERVICE_PORT", ""),
        ("PEXSERVICE_NONSENSE", ""),
        ("PEXSERVICE_DATA_DIR", '"'),
        ("PEXSERVICE_DATA_DIR", "it's"),
        ("PEXSERVICES", "1"),
        ("XPEXSERVICE_PORT", "1"),
        ("_PEXSERVICE_COMPLETE", ""),
    ],
)
def test_other_variables_are_let_be(name: str, value: str) -> None:
    """Those that are known, empty, or not ours."""
    check(KNOWN, list, "pexservice", {name: value})
    check_completion("pexservice", {name: value})


@pytest.mark.parametrize(
    "variables",
    [
        {"_PEXSERVICE_COMPLETE": "1"},
        {"_PEXSERVICE_COMPLETE": "tcsh_source"},
        {"_PEXSERVICE_COMPLETE": "bash_complete"},
        {"_PEXSERVICE_COMPLETE": "zsh_complete", "COMP_WORDS": "pexservice ", "COMP_CWORD": "x"},
    ],
)
def test_completion_that_no_shell_asks_for_is_an_error(variables: dict[str, str]) -> None:
    """The variable of click's completion, left in the environment, must not answer in the place of a command."""
    with pytest.raises(click.UsageError, match="_PEXSERVICE_COMPLETE"):
        check_completion("pexservice", variables)


def test_completion_that_a_shell_asks_for_is_none() -> None:
    """As bash, zsh and fish set them."""
    for shell in ("bash", "zsh"):
        check_completion("pexservice", {"_PEXSERVICE_COMPLETE": f"{shell}_source"})
        check_completion(
            "pexservice", {"_PEXSERVICE_COMPLETE": f"{shell}_complete", "COMP_WORDS": "x", "COMP_CWORD": "1"}
        )
    check_completion("pexservice", {"_PEXSERVICE_COMPLETE": "fish_complete", "COMP_WORDS": "x", "COMP_CWORD": ""})
