"""Wrong usage: what a person reads, and what a machine."""

import json

import pytest

from support.process import run


@pytest.mark.parametrize(
    "arguments",
    [
        ["serve", "--nope"],
        ["serve", "more"],
        ["serve", "--port"],
        ["serve", "--port", "x"],
        ["serve", "--log-level", "9" * 5_000],
        ["journal", "nope"],
        ["import"],
        ["no\x1b[2J\npe"],
        ["\udcff"],
    ],
)
def test_wrong_usage_is_one_sentence(arguments: list[str]) -> None:
    """On standard error, with where to read more; nothing of it controls a terminal."""
    ended = run(*arguments)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert ended.stderr.startswith("pexservice")
    assert ended.stderr.endswith("--help'.\n")
    assert "\x1b" not in ended.stderr
    assert len(ended.stderr) < 1_000


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["store", "init", "foo"], "URL"),
        (["store", "check", "foo"], "URL"),
        (["import", ""], "FILE"),
        (["journal", "backup", ""], "DIR"),
        (["bench", "foo"], "URL"),
    ],
)
def test_a_wrong_argument_is_called_as_in_the_help(arguments: list[str], name: str) -> None:
    """Not by what the program calls it within."""
    ended = run(*arguments)
    assert ended.returncode == 2
    assert f"pexservice {' '.join(arguments[:-1])}: {name}: " in ended.stderr, ended.stderr
    assert name in run(*arguments[:-1], "--help").stdout.splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (["serve", "--log-format", "json", "--port", "x"], {}),
        (["serve", "--port", "x", "--log-format=json"], {}),
        (["serve", "--nope"], {"PEXSERVICE_LOG_FORMAT": "json"}),
        (["serve"], {"PEXSERVICE_LOG_FORMAT": "json", "PEXSERVICE_PROT": "1"}),
    ],
)
def test_a_service_that_logs_for_machines_tells_them_of_wrong_usage(
    arguments: list[str], variables: dict[str, str]
) -> None:
    """As a log line like any other, wherever the format was set."""
    ended = run(*arguments, **variables)
    line = json.loads(ended.stderr)
    assert (ended.returncode, line["event"], line["level"], line["exit_status"]) == (2, "wrong usage", "critical", 2)
    assert set(line) == {"event", "level", "error", "exit_status", "timestamp"}


def test_the_last_format_counts() -> None:
    """The command line goes before the variable."""
    ended = run("serve", "--log-format", "console", "--nope", PEXSERVICE_LOG_FORMAT="json")
    assert ended.stderr.startswith("pexservice serve: ")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["version"], ["serve", "-h"], ["journal", "show", "-h"]]
)
def test_help_is_given_whatever_the_environment_holds(arguments: list[str]) -> None:
    """Who looks for the name of a variable may have it wrong still."""
    assert run(*arguments, PEXSERVICE_PROT="1", PEXSERVICE_PORT="x").returncode == 0
