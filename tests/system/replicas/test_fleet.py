"""Replicas, their clients, and a server that fails in every way: what clients are told is one exact history."""

import time
from collections.abc import Callable
from itertools import pairwise
from statistics import median
from typing import Final

import pytest

from support import postgres
from support.much import Much
from support.show import Show
from system.replicas import attacks
from system.replicas.fleet import Fleet, fleet
from system.replicas.ledger_of_all import Told, violations

pytestmark = pytest.mark.skipif(not postgres.is_there(), reason="needs PostgreSQL, and root")

ATTACKS: Final[dict[Callable[[Fleet], None], tuple[int, int]]] = {
    attacks.kill_replica: (5, 200),
    attacks.terminate: (20, 500),
    attacks.restart: (2, 20),
    attacks.lose_standby: (1, 20),
    attacks.fail_over: (2, 50),
    attacks.fail_over_cut_off: (1, 10),
    attacks.cut_replica_to_primary: (1, 25),
    attacks.cut_primary_to_replica: (1, 25),
    attacks.cut_primary_to_standby: (1, 25),
    attacks.cut_standby_to_primary: (1, 25),
}
"""How often each is done: short, full."""


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_nothing_is_lost_doubled_or_stale(attack: Callable[[Fleet], None], much: Much, show: Show) -> None:
    """Over any number of failures; and after each, clients are served again by each replica."""
    with fleet() as all_of_it:
        judged(all_of_it, attack, much.of(*ATTACKS[attack]), show)


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("small", ["data", "wal"])
def test_a_full_disk_of_the_server_loses_nothing(small: str, much: Much, show: Show) -> None:
    """Who asks meanwhile is turned away; when there is room again, all goes on."""
    with fleet(small=small) as all_of_it:
        judged(all_of_it, attacks.fill_disk, much.of(1, 3), show)


def judged(all_of_it: Fleet, attack: Callable[[Fleet], None], rounds: int, show: Show) -> None:
    """Attack so often, judge all answers as one history, and show how long nobody was served."""
    clients = all_of_it.clients
    silences_s, waits_s = [], []
    for _ in range(rounds):
        before, began_s = len(clients.told), time.monotonic()
        attack(all_of_it)
        all_of_it.await_answers()
        silence_s, wait_s = without_service_s(clients.told[before:], began_s, time.monotonic())
        silences_s.append(silence_s)
        waits_s.append(wait_s)
    assert all_of_it.finish() == []
    cells = [
        f"{rounds} times",
        f"{len(clients.told):,} answers, {clients.repeats:,} asked again, {clients.turned_away:,} turned away",
        f"nobody was answered for {median(silences_s):.2f} s, at most {max(silences_s):.2f} s",
        f"somebody waited for {median(waits_s):.2f} s, at most {max(waits_s):.2f} s",
    ]
    show(" | ".join(cells))


def without_service_s(told: list[Told], began_s: float, ended_s: float) -> tuple[float, float]:
    """Return how long nobody was answered at the longest, and how long one client waited for an answer."""
    answered = [each for each in told if each.sequence is not None]
    times_s = [began_s, *sorted(each.ended_s for each in answered if each.ended_s >= began_s), ended_s]
    silence_s = max(after - before for before, after in pairwise(times_s))
    return silence_s, max(each.ended_s - each.began_s for each in answered)


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
