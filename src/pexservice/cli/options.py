"""Options that say their environment variable and take units."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from pexservice.config import parse_address, parse_duration_s, parse_size_bytes

_Command = TypeVar("_Command", bound=Callable[..., Any])


class _Parsed(click.ParamType[Any]):
    """A value that one of the functions of `config` reads."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


ADDRESS = _Parsed("host:port", parse_address)
DURATION = _Parsed("duration", parse_duration_s)
SIZE = _Parsed("size", parse_size_bytes)


def option(flag: str, **attributes: Any) -> Callable[[_Command], _Command]:
    """Declare an option that can also be set by PEXSERVICE_<FLAG>."""
    variable = "PEXSERVICE_" + flag.removeprefix("--").replace("-", "_").upper()
    return click.option(flag, envvar=variable, show_envvar=True, show_default=True, **attributes)


data_dir = option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False, readable=False),  # That is for 77.
    default=Path("data"),
    help="Directory of the journal.",
)
