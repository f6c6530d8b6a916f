"""Options that say their environment variable, take units, and name where a wrong value came from."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from click.core import ParameterSource

from pexservice.cli import environment
from pexservice.config import StoreUrl, parse_store

_Declared = TypeVar("_Declared", bound=Callable[..., Any])
_WHOLE = re.compile(r"[0-9]{1,20}", re.ASCII)
"""As many digits as 2^64 - 1 has, the largest that is taken anywhere."""
_SHOWN_MAX: Final = 80
"""Characters of a wrong value: a line."""
_GIVEN: Final = {ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT}


class Command(click.Command):
    """A command that looks at the environment first, and whose summary is shown whole."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does it, unless a variable of ours is wrong. Who asks for help gets it."""
        if not ctx.resilient_parsing and not set(args) & set(self.get_help_option_names(ctx)):
            try:
                root = ctx.find_root()
                environment.check(known_variables(self), partial(known_variables, root.command), str(root.info_name))
            except click.UsageError as error:
                error.ctx = ctx  # For the name of the command.
                raise
        return super().parse_args(ctx, args)

    def get_short_help_str(self, limit: int = 0) -> str:
        """Return the first sentence of the help, however long."""
        return super().get_short_help_str(max(limit, 1_000))


class Late(Mapping[str, click.Command]):
    """Commands by name, each imported when it is asked for.

    PERF: the start of `serve` is part of the time to the first answer after a crash; the others cost it 4 ms of 110.
    """

    def __init__(self, loads: Mapping[str, Callable[[], click.Command]]) -> None:
        self._loads = loads

    def __getitem__(self, name: str) -> click.Command:
        return self._loads[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._loads)

    def __len__(self) -> int:
        return len(self._loads)


class CommandGroup(click.Group):
    """A group of such commands; without a name of one, it shows its help."""

    command_class = Command

    def __init__(self, name: str, commands: Mapping[str, click.Command], **attributes: Any) -> None:
        super().__init__(name, **attributes)
        self.commands = commands  # type: ignore[assignment]  # None is ever added.

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does it; what it does without arguments differs from version to version."""
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(2)
        return super().parse_args(ctx, args)

    def get_short_help_str(self, limit: int = 0) -> str:
        """As `Command.get_short_help_str`."""
        return super().get_short_help_str(max(limit, 1_000))


def known_variables(command: click.Command) -> set[str]:
    """Return the variables that a command, or one below it, reads."""
    below = command.commands.values() if isinstance(command, click.Group) else ()
    own = {option.envvar for option in command.params if isinstance(option.envvar, str)}
    return own.union(*(known_variables(each) for each in below))


def option(flag: str, **attributes: Any) -> Callable[[_Declared], _Declared]:
    """Declare an option that can also be set by PEXSERVICE_<FLAG>."""
    variable = "PEXSERVICE_" + flag.removeprefix("--").replace("-", "_").upper()
    attributes.setdefault("type", str)  # Else click makes one of the default.
    return click.option(flag, envvar=variable, show_envvar=True, show_default=True, **attributes)


def source(ctx: click.Context, param: click.Parameter) -> str:
    """Return what the user has to change: the option, the argument, or the variable that it was read from."""
    if param.name and ctx.get_parameter_source(param.name) is ParameterSource.ENVIRONMENT:
        return str(param.envvar)
    return param.human_readable_name if isinstance(param, click.Argument) else param.opts[0]


def given(ctx: click.Context, name: str) -> str | None:
    """Return where the user set an option, or None if it has its default."""
    if ctx.get_parameter_source(name) not in _GIVEN:
        return None
    return source(ctx, next(param for param in ctx.command.params if param.name == name))


def contradict(ctx: click.Context, one: str, other: str, why: str) -> None:
    """Raise click.UsageError if the user set both options."""
    first, second = given(ctx, one), given(ctx, other)
    if first and second:
        message = f"{first} and {second} contradict each other: {why}"
        raise click.UsageError(message, ctx)


def read(parse: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Return a callback that reads a value by a function which raises ValueError, saying what it should be.

    A callback, and no type of click's: how one derives those differs from version to version.
    """

    def callback(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return parse(value)
        except (ValueError, OverflowError) as error:
            reason = str(error).replace(repr(value), shortened(value))
            message = f"{source(ctx, param)}: {reason}."
            raise click.UsageError(message, ctx) from error

    return callback


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return a parser of whole numbers: ASCII digits alone."""

    def parse(text: str) -> int:
        if not _WHOLE.fullmatch(text) or not least <= int(text) <= most:
            message = f"{shortened(text)} is not a whole number from {least} to {most}"
            raise ValueError(message)
        return int(text)

    return parse


def text(value: str) -> str:
    """Return a text that must not be empty. Raises ValueError."""
    if not value.strip():
        message = "it is empty"
        raise ValueError(message)
    return value


def host(value: str) -> str:
    """Return a host to listen on. Raises ValueError."""
    if value.startswith("["):
        message = f"{value!r} is in brackets; write it without brackets, as ::1"
        raise ValueError(message)
    return text(value)


def path(value: str) -> Path:
    """Return a path that must not be empty. Raises ValueError."""
    return Path(text(value))


def shortened(value: str) -> str:
    """Return a value as a message may show it: quoted, and not without end."""
    return repr(value if len(value) <= _SHOWN_MAX else value[:_SHOWN_MAX] + "...")


data_dir = option("--data-dir", metavar="DIR", default="data", callback=read(path), help="Directory of the journal.")
store = option(
    "--store",
    metavar="URL",
    callback=read(parse_store),
    help="PostgreSQL server that keeps the state for all replicas, instead of --data-dir: postgresql://USER@HOST/DATABASE.",
)


def check_store(ctx: click.Context, url: StoreUrl | None) -> None:
    """Raise click.UsageError for a store beside a directory, or with a password where everyone may read it."""
    contradict(ctx, "store", "data_dir", "the state is in a directory or at a server, not in both.")
    check_password(ctx, "store", url)


def check_no_store(remedy: str) -> None:
    """Raise click.UsageError if the environment names a server, for a command that knows directories alone."""
    if os.environ.get("PEXSERVICE_STORE"):
        message = f"PEXSERVICE_STORE names a server, and this is for a data directory. {remedy}, or unset the variable."
        raise click.UsageError(message)


def check_password(ctx: click.Context, name: str, url: StoreUrl | None) -> None:
    """Raise click.UsageError for a password in an argument, which every user of the machine may read."""
    if url is not None and url.has_password and ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
        message = "a password among the arguments can be read by everyone here. Put it into PGPASSFILE or PGPASSWORD."
        raise click.UsageError(message, ctx)
