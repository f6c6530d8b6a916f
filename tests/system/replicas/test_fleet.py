"""Replicas, their clients, and a server that fails in every way: what clients are told is one exact history."""

import time
from collections.abc import Callable
from random import Random

import pytest

from support import postgres
from support.much import Much
from support.process import command
from support.show import Show
from system.replicas.fleet import REPLICAS, Fleet, fleet
from system.replicas.ledger_of_all import Told, violations

pytestmark = pytest.mark.skipif(not postgres.is_there(), reason="needs PostgreSQL, and root")

_RANDOM = Random(16)


def kill_replica(all_of_it: Fleet) -> None:
    """Kill one of the replicas; a proxy would pass it over."""
    all_of_it.kill_replica(_RANDOM.randrange(REPLICAS))


def terminate(all_of_it: Fleet) -> None:
    """End the connections of groups between commit and answer."""
    while not all_of_it.cut_waits():
        pass


def restart(all_of_it: Fleet) -> None:
    """Restart the server, in order or not."""
    all_of_it.primary.stop(_RANDOM.choice(["fast", "immediate"]))
    all_of_it.primary.start()


def lose_standby(all_of_it: Fleet) -> None:
    """Take the standby away for a second: commits wait."""
    all_of_it.standby.stop("immediate")
    time.sleep(1)
    all_of_it.standby.start()


ATTACKS: dict[Callable[[Fleet], None], tuple[int, int]] = {
    kill_replica: (5, 200),
    terminate: (20, 500),
    restart: (2, 20),
    lose_standby: (1, 20),
    Fleet.fail_over: (2, 50),
}
"""How often each is done: short, full."""


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_nothing_is_lost_doubled_or_stale(attack: Callable[[Fleet], None], much: Much, show: Show) -> None:
    """Over any number of failures; and after each, clients are served again."""
    rounds = ATTACKS[attack][much is Much.FULL]
    gaps_s = []
    with fleet() as all_of_it:
        all_of_it.await_answers()
        for _ in range(rounds):
            began_s = time.monotonic()
            attack(all_of_it)
            spent_s = time.monotonic() - began_s
            gaps_s.append(all_of_it.await_answers() + (0 if attack is kill_replica else spent_s))
        assert all_of_it.finish() == []
        told, repeats = len(all_of_it.told), all_of_it.repeats
    show(f"{rounds} times, {told:,} answers, {repeats:,} asked again; at most {max(gaps_s):.2f} s, the attack included")


def fail_over_behind(all_of_it: Fleet) -> None:
    """Fail over to a standby that was not there at the end, while waits for it were cancelled."""
    all_of_it.standby.stop("immediate")
    for _ in range(20):
        all_of_it.cut_waits("cancel")
        time.sleep(0.05)
    all_of_it.primary.kill()
    all_of_it.standby.start()
    all_of_it.standby.promote()


@pytest.mark.parametrize("which", ["resolution", "standby", "warnings"])
def test_what_is_taken_out_is_missed(which: str, show: Show) -> None:
    """Without any one of the safeguards steps are doubled or lost, and the judge says so, or the replicas do."""
    with fleet(command("system.replicas.sabotaged", which)) as all_of_it:
        all_of_it.await_answers()
        if which == "resolution":
            for _ in range(20):
                terminate(all_of_it)
                all_of_it.await_answers(5)
            found = all_of_it.finish()
            assert any("doubled" in each for each in found), found
        else:
            fail_over_behind(all_of_it)
            newest = max(each.sequence or 0 for each in all_of_it.told)
            kept = int(all_of_it.standby.ask("SELECT max(sequence) FROM pexservice.history", all_of_it._database))
            found = [f"{newest} was answered, and the walk stands at {kept}"]
            assert newest > kept
    show(found[0])


def test_with_all_safeguards_the_same_loses_nothing(show: Show) -> None:
    """A standby that was not there at the end has all that was answered."""
    with fleet() as all_of_it:
        all_of_it.await_answers()
        fail_over_behind(all_of_it)
        newest = max(each.sequence or 0 for each in all_of_it.told)
        kept = int(all_of_it.standby.ask("SELECT max(sequence) FROM pexservice.history", all_of_it._database))
        assert newest <= kept
    show(f"{newest} was answered, and the walk stands at {kept}")


@pytest.mark.parametrize(
    ("told", "last", "words"),
    [
        ([Told("/next", 0, 1, 1, 1), Told("/next", 2, 3, 1, 1)], 1, "two answers"),
        ([Told("/next", 0, 1, 1, 1)], 2, "doubled"),
        ([Told("/next", 0, 1, 1, 1), Told("/next", 2, 3, 2, 2)], 1, "lost"),
        ([Told("/next", 0, 1, 1, 1), Told("/next", 2, 3, 2, 5)], 2, "position 5"),
        ([Told("/next", 0, 1, 1, 1), Told("/current", 2, 3, 0, 0)], 1, "stale"),
        ([Told("/next", 0, 1, 2, 1), Told("/reset", 2, 3, 1, 0)], 2, "stale"),
    ],
)
def test_the_judge_catches_each_kind(told: list[Told], last: int, words: str) -> None:
    """Doubled, lost, wrong and stale; and finds nothing in what is right."""
    assert any(words in each for each in violations(told, last))
    right = [Told("/next", 0, 2, 1, 1), Told("/next", 1, 3, None), Told("/previous", 2, 4, 3, 1)]
    assert violations([*right, Told("/current", 5, 6, 3, 1)], 3) == []
