"""A primary, its synchronous standby and replicas, each on a host of its own; and the clients that load them."""

import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from support.network import Host, hosts
from support.postgres import USER, Server
from support.process import Service, command, run
from system.replicas.clients import PATIENCE_S, Clients
from system.replicas.ledger_of_all import violations

REPLICAS: Final = 3
_DATABASE: Final = "walk"
_WAL: Final = {"min_wal_size": "2MB", "max_wal_size": "6MB", "wal_keep_size": "4MB"}
"""So little that a small disk is full at once; and as much as a standby needs that was not there for a while."""
_SIZES: Final = {"data": "96m", "wal": "16m"}


class Fleet:
    """All of it. `program` runs each replica."""

    def __init__(self, network: Sequence[Host], program: Sequence[str]) -> None:
        self._program = program
        self.hosts = network[2:]
        """Those of the replicas,"""
        self.primary, self.standby = Server(network[0]), Server(network[1])
        self.host_of = {self.primary: network[0], self.standby: network[1]}
        """and of the servers."""
        self._top = Path(mkdtemp(prefix="pex-fleet-"))
        self.sockets = [self._top / str(number) for number in range(REPLICAS)]
        self.disk: Path | None = None
        """A small one of the primary."""
        self.replicas: list[Service] = []
        self.clients = Clients(self.sockets)

    def start(self, small: str) -> None:
        """Start all, and the load."""
        if small:
            self.disk = self.primary.top / small
            self.disk.mkdir()
            mount = ["mount", "-t", "tmpfs", "-o", f"mode=0700,uid={USER},gid={USER},size={_SIZES[small]}"]
            subprocess.run([*mount, "pex", self.disk], check=True, timeout=10)
        self.primary.make("--wal-segsize", "1", *(["--waldir", str(self.disk)] if small == "wal" else []))
        self.primary.ask(f"CREATE DATABASE {_DATABASE}")
        made = run("store", "init", f"{self.primary.url}/{_DATABASE}", wrapper=self.host_of[self.primary].wrapper)
        assert made.returncode == 0, made.stderr
        self.standby.make_standby(self.primary, "standby")
        for server in (self.primary, self.standby):  # The standby, too: it may become the primary.
            set_up(server, synchronous_standby_names="*", **_WAL)
        time.sleep(0.3)
        self.replicas = [self._replica(number) for number in range(REPLICAS)]
        for replica in self.replicas:
            replica.await_start()
            assert replica.where, replica.log
        self.clients.start()
        self.await_answers()

    def finish(self) -> list[str]:
        """End the load, and return what is wrong with what clients were told."""
        self.clients.stop()
        return violations(self.clients.told, self.sequence())

    def finish_without(self) -> list[str]:
        """Likewise where replicas may wait for good, and are killed."""
        for replica in self.replicas:
            replica.clean_up()
        self.clients.stop(gives_up=True)
        return violations(self.clients.told, self.sequence())

    def remove(self) -> None:
        """End all of it, whatever its clients wait for."""
        for replica in self.replicas:
            replica.clean_up()
        self.clients.stop(gives_up=True)
        for server in (self.primary, self.standby):
            server.remove()
        if self.disk:
            subprocess.run(["umount", self.disk], check=True, timeout=10)
            shutil.rmtree(self.primary.top)
        shutil.rmtree(self._top)

    def sequence(self) -> int:
        """Return how many steps the primary has."""
        return int(self.ask("SELECT max(sequence) FROM pexservice.history"))

    def ask(self, statement: str) -> str:
        """Ask the primary, in the database of the walk."""
        return self.primary.ask(statement, _DATABASE)

    def kill_replica(self, number: int) -> None:
        """Kill a replica, and start it again."""
        self.replicas[number].clean_up()
        self.replicas[number] = self._replica(number)

    def cut_waits(self, how: str = "terminate") -> int:
        """End backends that committed and have yet to answer; return how many there were."""
        waiting = f"SELECT count(pg_{how}_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        return int(self.ask(waiting))

    def change_servers(self) -> None:
        """Make the primary, which was killed, anew as a standby of the one that was its standby and was promoted."""
        self.primary, self.standby = self.standby, self.primary
        shutil.rmtree(self.standby.data)
        self.standby.make_standby(self.primary, "standby")

    def await_answers(self, more: int = 20) -> None:
        """Return once clients were told more, by each replica."""
        deadline_s = time.monotonic() + PATIENCE_S
        told, served = len(self.clients.told), list(self.clients.served)
        while len(self.clients.told) < told + more or any(map(int.__eq__, served, self.clients.served)):
            time.sleep(0.005)
            assert time.monotonic() < deadline_s, [replica.log[-500:] for replica in self.replicas]

    def _replica(self, number: int) -> Service:
        servers = sorted((self.primary, self.standby), key=lambda server: server.address)
        url = f"postgresql://{USER}@{','.join(f'{each.address}:{each.port}' for each in servers)}/{_DATABASE}"
        options = ["--uds", str(self.sockets[number]), "--store", url, "--log-format", "json"]
        return Service([*self.hosts[number].wrapper, *self._program, "serve", *options], {}, None)


def set_up(server: Server, **settings: str) -> None:
    """Give a server settings, from now on."""
    for name, value in settings.items():
        server.ask(f"ALTER SYSTEM SET {name} = '{value}'")
    server.ask("SELECT pg_reload_conf()")


@contextmanager
def fleet(program: Sequence[str] = tuple(command("pexservice")), *, small: str = "") -> Iterator[Fleet]:
    """Run all of it until the end of the block; with a small disk for the `data` of the primary, or for its `wal`."""
    with hosts(2 + REPLICAS) as network:
        made = Fleet(network, program)
        try:
            made.start(small)
            yield made
        finally:
            made.remove()
