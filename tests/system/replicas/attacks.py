"""What is done to replicas, servers and the network between them; each ends with all of it there again."""

import http.client
import shutil
import time
from pathlib import Path
from random import Random
from typing import Final

import pytest

from support.client import Client
from support.network import Host
from support.process import wait_until
from system.replicas.fleet import REPLICAS, Fleet, set_up

_RANDOM: Final = Random(16)
_AWAY_S: Final = (0.5, 4.0)
"""Shorter and longer than the patience of a replica with a call,"""
_REPEATED_S: Final = 2.5
"""and a little longer."""


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
    """Take the standby away for a while: commits wait."""
    all_of_it.standby.stop("immediate")
    time.sleep(_RANDOM.uniform(*_AWAY_S))
    all_of_it.standby.start()


def overlap_calls(all_of_it: Fleet) -> None:
    """Take it away until replicas call again on the server where their first call still waits; some times."""
    for _ in range(3):
        all_of_it.standby.stop("immediate")
        time.sleep(_REPEATED_S)
        all_of_it.standby.start()
        all_of_it.await_answers()


def fail_over(all_of_it: Fleet) -> None:
    """Kill the primary, promote the standby, and make the old one its standby."""
    all_of_it.primary.kill()
    all_of_it.standby.promote()
    all_of_it.change_servers()


def fail_over_cut_off(all_of_it: Fleet, *, empties_names: bool = False) -> None:
    """Promote the standby of a primary that is cut off from it, and goes on for a while."""
    primary, standby = (all_of_it.host_of[each] for each in (all_of_it.primary, all_of_it.standby))
    primary.cut(standby)
    standby.cut(primary)
    time.sleep(1)
    if empties_names:
        set_up(all_of_it.primary, synchronous_standby_names="")
    time.sleep(1)
    all_of_it.standby.promote()
    time.sleep(1)
    all_of_it.primary.kill()
    primary.mend(standby)
    standby.mend(primary)
    all_of_it.change_servers()


def fail_over_behind(all_of_it: Fleet) -> None:
    """Fail over to a standby that was not there at the end, while waits for it were cancelled."""
    all_of_it.standby.stop("immediate")
    for _ in range(20):
        all_of_it.cut_waits("cancel")
        time.sleep(0.05)
    all_of_it.primary.kill()
    all_of_it.standby.start()
    all_of_it.standby.promote()
    all_of_it.change_servers()


def cut_replica_to_primary(all_of_it: Fleet) -> None:
    """Calls of one replica do not arrive."""
    _cut(_RANDOM.choice(all_of_it.hosts), all_of_it.host_of[all_of_it.primary])


def cut_primary_to_replica(all_of_it: Fleet) -> None:
    """Answers to one replica do not arrive."""
    _cut(all_of_it.host_of[all_of_it.primary], _RANDOM.choice(all_of_it.hosts))


def cut_primary_to_standby(all_of_it: Fleet) -> None:
    """Commits do not arrive at the standby."""
    _cut(all_of_it.host_of[all_of_it.primary], all_of_it.host_of[all_of_it.standby])


def cut_standby_to_primary(all_of_it: Fleet) -> None:
    """Commits are at the standby, and the primary does not hear of it."""
    _cut(all_of_it.host_of[all_of_it.standby], all_of_it.host_of[all_of_it.primary])


def _cut(sender: Host, receiver: Host) -> None:
    sender.cut(receiver)
    time.sleep(_RANDOM.uniform(*_AWAY_S))
    sender.mend(receiver)


def fill_disk(all_of_it: Fleet) -> None:
    """Leave no room on the small disk until all replicas turn clients away; start the server again if it went down."""
    assert all_of_it.disk is not None, "there is one"
    filler = all_of_it.disk / "filler"
    with (
        Path("/dev/zero").open("rb") as zeros,
        filler.open("wb", buffering=0) as file,
        pytest.raises(OSError, match="No space left"),
    ):
        shutil.copyfileobj(zeros, file)
    wait_until(lambda: all(map(_turns_away, all_of_it.sockets)))
    filler.unlink()
    if not all_of_it.primary.is_up:
        all_of_it.primary.start()


def _turns_away(replica: Path) -> bool:
    with Client(str(replica)) as client:
        return client.ask("GET", "/readyz").status == http.client.SERVICE_UNAVAILABLE
