"""Values that options are given."""

import os
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from pexservice.cli import commands
from pexservice.cli.asking import Address
from pexservice.cli.loading import load_walk
from pexservice.cli.options import shortened, whole
from pexservice.errors import NoJournal
from pexservice.process import logs, service
from pexservice.stores.journal.record import SEQUENCE_MAX

OPTIONS = [option for option in commands.commands["serve"].params if option.envvar]

ODD = [
    "",
    " ",
    "-1",
    "+1",
    "1.5",
    "nan",
    "NaN",
    "inf",
    "1e9",
    "1_0",
    "٣",
    "\uff18\uff10",
    "0x10",
    " 1",
    "1 ",
    "9" * 5_000,
    "\udcff",
    "\x1b[2J",
]


@given(st.integers(0, 10**30))
def test_a_whole_number_is_itself_within_its_bounds(number: int) -> None:
    """And beyond them an error, however long."""
    if number <= 65_535:
        assert whole(0, 65_535)(str(number)) == number
    else:
        with pytest.raises(ValueError, match="is not a whole number from 0 to 65535"):
            whole(0, 65_535)(str(number))


@pytest.mark.parametrize("flag", ["--from", "--last"])
def test_the_largest_sequence_of_a_journal_can_be_asked_for(tmp_path: Path, flag: str) -> None:
    """An import may begin half way to it. So the answer is that there is no journal here, and not that it is wrong."""
    arguments = ["journal", "show", "--data-dir", str(tmp_path), flag, str(SEQUENCE_MAX)]
    told = CliRunner().invoke(commands, arguments, obj=load_walk)
    assert isinstance(told.exception, NoJournal), told.output


@pytest.mark.parametrize("text", ODD)
def test_what_only_python_takes_for_a_number_is_none(text: str) -> None:
    """No digits of other scripts, no spaces, signs or underscores."""
    with pytest.raises(ValueError, match="is not a whole number from 0 to 65535"):
        whole(0, 65_535)(text)


@pytest.mark.parametrize(
    "text",
    [
        *ODD,
        "http://",
        "http:///x",
        "http://[::1",
        "http://a..b",
        "http://x:0",
        "http://x:65536",
        "http://x:y",
        "http://x y",
        "http://x/\n",
        "http://user:secret@x",
        "http://x?y",
        "http://x#y",
        "http://x/ü",
        "ftp://x",
        "127.0.0.1:8081",
        "http://" + "a" * 64,
    ],
)
def test_what_is_no_url_of_a_service_is_refused(text: str) -> None:
    """Before anybody is asked."""
    with pytest.raises(ValueError, match=r"URL|ASCII"):
        Address.of_url(text)


@pytest.mark.parametrize(
    ("text", "host", "port", "prefix"),
    [
        ("http://127.0.0.1:8081", "127.0.0.1", 8081, ""),
        ("http://[::1]:8081/", "::1", 8081, ""),
        ("https://walk.example/pex/", "walk.example", None, "/pex"),
    ],
)
def test_a_url_of_a_service_is_read(text: str, host: str, port: int | None, prefix: str) -> None:
    """Also behind a proxy, which may have it below a path."""
    address = Address.of_url(text)
    assert (address.host, address.port, address.prefix) == (host, port, prefix)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: str(option.name))
@pytest.mark.parametrize("text", ODD, ids=lambda text: ascii(text[:8]))
def test_a_wrong_value_names_where_it_came_from(
    monkeypatch: pytest.MonkeyPatch, option: click.Parameter, text: str
) -> None:
    """A value is taken, or refused in one sentence that names the option, or the variable if that had it."""
    monkeypatch.setattr(service, "serve", lambda *_: None)
    monkeypatch.setattr(logs, "configure", lambda *_: None)
    monkeypatch.setattr(os, "_exit", sys.exit)
    flag, variable = option.opts[0], str(option.envvar)
    for name, outcome in (
        (flag, CliRunner().invoke(commands, ["serve", f"{flag}={text}"], obj=load_walk)),
        (variable, CliRunner(env={variable: text}).invoke(commands, ["serve"], obj=load_walk)),
    ):
        assert outcome.exit_code in {0, 2}, outcome.exception
        assert outcome.exit_code == 0 or name in outcome.stderr
        assert len(outcome.stderr) < 1_000 or isinstance(option.type, click.Choice)  # These main() shortens.


@pytest.mark.parametrize(
    ("arguments", "variables", "names"),
    [
        (["serve", "--uds", "x", "--port", "1"], {}, "--uds and --port contradict"),
        (["serve", "--uds", "x"], {"PEXSERVICE_HOST": "::1"}, "--uds and PEXSERVICE_HOST contradict"),
        (["serve", "--port", "1"], {"PEXSERVICE_UDS": "x"}, "PEXSERVICE_UDS and --port contradict"),
        (["serve"], {"PEXSERVICE_UDS": "x", "PEXSERVICE_PORT": "1"}, "PEXSERVICE_UDS and PEXSERVICE_PORT contradict"),
        (["serve", "--sync-interval", "1s"], {}, "--sync-interval and the default of --durability contradict"),
        (
            ["serve", "--durability", "fsync"],
            {"PEXSERVICE_SYNC_INTERVAL": "1s"},
            "PEXSERVICE_SYNC_INTERVAL and --durability contradict",
        ),
        (["serve", "--port", "9", "--admin-bind", "127.0.0.1:9"], {}, "--admin-bind and --port contradict"),
        (["journal", "show", "--last", "1", "--from", "1"], {}, "--last and --from contradict"),
        (["journal", "export", "--last", "1", "--from", "1"], {}, "--last and --from contradict"),
        (["journal", "export", "--values", "--original"], {}, "--values and --original contradict"),
        (["status", "--uds", "x", "--url", "http://x"], {}, "--url and --uds contradict"),
        (["status", "--uds", "x"], {"PEXSERVICE_URL": "http://x"}, "PEXSERVICE_URL and --uds contradict"),
    ],
)
def test_contradictions_are_named(arguments: list[str], variables: dict[str, str], names: str) -> None:
    """Which two, and where each came from."""
    outcome = CliRunner(env=variables).invoke(commands, arguments)
    assert (outcome.exit_code, names in outcome.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [(["import", "fibo.csv"], "pexservice store init --import"), (["journal", "backup", "there"], "pg_dump")],
)
def test_a_command_for_directories_is_not_told_of_a_server(arguments: list[str], remedy: str, tmp_path: Path) -> None:
    """Else it would work on a directory that nothing serves any more, and say that all is well."""
    variables = {"PEXSERVICE_STORE": "postgresql://pex@db1/pex", "PEXSERVICE_DATA_DIR": str(tmp_path / "data")}
    outcome = CliRunner(env=variables).invoke(commands, arguments)
    assert (outcome.exit_code, "PEXSERVICE_STORE names a server" in outcome.stderr) == (2, True)
    assert remedy in outcome.stderr
    assert not (tmp_path / "data").exists()


def test_a_wrong_value_is_not_shown_without_end() -> None:
    """A line of it is enough."""
    assert len(shortened("9" * 5_000)) < 100
