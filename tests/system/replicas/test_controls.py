"""With any one of the safeguards taken out, or a rule for operators broken, steps are lost or doubled, and it shows.

Each where it bites: the same is done to a fleet that has all of them, and loses nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pytest

from support import postgres
from support.process import command
from support.show import Show
from system.replicas import attacks, sabotaged
from system.replicas.fleet import Fleet, fleet

pytestmark = pytest.mark.skipif(not postgres.is_there(), reason="needs PostgreSQL, and root")


def terminate_often(all_of_it: Fleet) -> None:
    """End the connections of many groups between commit and answer."""
    for _ in range(40):
        attacks.terminate(all_of_it)
        all_of_it.await_answers(5)


def fail_over_without_names(all_of_it: Fleet) -> None:
    """Empty the names of standbys on a primary that is cut off from its own."""
    attacks.fail_over_cut_off(all_of_it, empties_names=True)


@dataclass(frozen=True, slots=True)
class Control:
    """What is taken out of replicas, of the schema, and the attack by which it is missed."""

    attack: Callable[[Fleet], None]
    words: str
    """What the judge says."""
    replicas: str = ""
    schema: Callable[[], str] | None = None


CONTROLS: Final = {
    "groups sent again as new ones": Control(terminate_often, "doubled", "resolution"),
    "commits that do not wait": Control(attacks.fail_over_behind, "lost", "standby"),
    "warnings that are not heard": Control(attacks.fail_over_behind, "lost", "warnings"),
    "repeats that do not wait": Control(attacks.fail_over_behind, "lost", "", sabotaged.filtered),
    "a turn taken in a CTE": Control(attacks.overlap_calls, "doubled", "ending", sabotaged.cte),
    "names emptied on a primary cut off": Control(fail_over_without_names, "lost"),
}


@pytest.mark.parametrize("control", CONTROLS.values(), ids=CONTROLS)
def test_what_is_taken_out_is_missed(control: Control, show: Show) -> None:
    """The judge says so, by its name."""
    with fleet(_program(control.replicas)) as all_of_it:
        if control.schema:
            all_of_it.ask(control.schema())
            all_of_it.await_answers()
        control.attack(all_of_it)
        found = all_of_it.finish_without() if control.words == "lost" else all_of_it.finish()
        show(next(each for each in found if control.words in each))


@pytest.mark.parametrize(
    ("attack", "replicas"),
    [
        (terminate_often, ""),
        (attacks.fail_over_behind, ""),
        (attacks.overlap_calls, ""),
        (attacks.overlap_calls, "ending"),
        (attacks.fail_over_cut_off, ""),
    ],
    ids=lambda what: what.__name__ if callable(what) else what or "whole",
)
def test_with_all_safeguards_the_same_loses_nothing(attack: Callable[[Fleet], None], replicas: str) -> None:
    """So it is for what was taken out that it is missed; and to leave calls at the server alone does no harm."""
    with fleet(_program(replicas)) as all_of_it:
        attack(all_of_it)
        all_of_it.await_answers()
        assert all_of_it.finish() == []


def _program(replicas: str) -> list[str]:
    return command("system.replicas.sabotaged", replicas) if replicas else command("pexservice")
