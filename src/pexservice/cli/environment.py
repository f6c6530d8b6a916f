"""Variables of the environment that are meant for us.

A variable that nothing reads is a setting that somebody believes in. So every `PEXSERVICE_…` that no command knows ends
the command, naming the nearest that there is.
"""

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import click

_PREFIX: Final = "PEXSERVICE_"
_SHELLS: Final = tuple(f"{shell}_{what}" for shell in ("bash", "zsh", "fish") for what in ("source", "complete"))
_QUOTES: Final = "\"'"
_LINKED: Final = ("tcp://", "udp://", "sctp://")
_LINKED_SUFFIXES: Final = ("_SERVICE_HOST", "_SERVICE_PORT", "_TCP", "_TCP_ADDR", "_TCP_PORT", "_TCP_PROTO")


def check(
    own: Iterable[str],
    known: Callable[[], Iterable[str]],
    program: str,
    variables: Mapping[str, str] = os.environ,
) -> None:
    """Raise click.UsageError unless each variable of ours is known and has a value that somebody may have meant.

    `own` are those of the command that runs, `known` gives those of all commands, and is asked only for one that is not
    among them. An empty one counts as not set, whatever its name.
    """
    names = set(own)
    for name, value in sorted(variables.items()):
        if not name.startswith(_PREFIX) or not value:
            continue
        if _is_link(name, value):
            message = (
                f"{name}={value!r} was set by Kubernetes or Docker for a service that is called pexservice. Turn that "
                "off ('enableServiceLinks: false' in the pod, no '--link'), or give the service another name."
            )
            raise click.UsageError(message)
        if name not in names:
            names.update(known())
        if name not in names:
            import difflib  # noqa: PLC0415 - imports are start-up time.

            rests = [each.removeprefix(_PREFIX) for each in names]
            near = difflib.get_close_matches(name.removeprefix(_PREFIX).upper(), rests, 1)
            hint = (
                f"Did you mean {_PREFIX}{near[0]}?" if near else f"'{program} serve --help' names those that there are."
            )
            message = f"no option is set by the variable {name}. {hint}"
            raise click.UsageError(message)
        if len(value) > 1 and value[0] == value[-1] and value[0] in _QUOTES:
            # What it says may be a secret, so it is not shown.
            message = f"the value of {name} is in quotes, which would be part of it. Write it without."
            raise click.UsageError(message)


def check_assertions() -> None:
    """Raise click.UsageError if Python leaves assertions out: some of them guard what is written to the journal."""
    if sys.flags.optimize:
        message = "Python was told to leave checks out, some of which guard the journal: unset PYTHONOPTIMIZE, no -O."
        raise click.UsageError(message)


def completion_variable(program: str) -> str:
    """Return the variable by which a shell asks a program for completion, as click names it."""
    return f"_{program.replace('-', '_').replace('.', '_')}_COMPLETE".upper()


def check_completion(program: str, variables: Mapping[str, str] = os.environ) -> None:
    """Raise click.UsageError if the variable by which a shell asks for completion holds what no shell asks."""
    variable = completion_variable(program)
    what = variables.get(variable, "")
    if not what:
        return
    if what not in _SHELLS:
        message = f"{variable}={what!r} is none of {', '.join(_SHELLS)}. It is for shells; unset it."
        raise click.UsageError(message)
    if what.endswith("_complete") and not (
        "COMP_WORDS" in variables and (what.startswith("fish") or variables.get("COMP_CWORD", "").isdecimal())
    ):
        message = f"{variable} is set, but not by a shell that completes a word. Unset it."
        raise click.UsageError(message)


def _is_link(name: str, value: str) -> bool:
    """Tell whether a variable is one of a service link: PEXSERVICE_PORT=tcp://…, PEXSERVICE_SERVICE_HOST, and so on."""
    bare = name.removeprefix(_PREFIX.removesuffix("_"))
    return value.startswith(_LINKED) or bare.startswith("_SERVICE_PORT_") or bare.endswith(_LINKED_SUFFIXES)
