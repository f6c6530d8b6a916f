"""A client that watches: a connection on which server-sent events come."""

import json
import re
from typing import Self

from support.client import Client, message


class Stream:
    """A connection on which events come."""

    def __init__(self, client: Client, *fields: str, version: str = "1.1") -> None:
        self.client = client
        self.client.send(message("GET", "/events", *fields, version=version))
        self.received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def read(self) -> bool:
        """Receive what comes next; return whether it was not the end."""
        data = self.client.socket.recv(1 << 16)
        self.received += data
        return bool(data)

    def states(self) -> list[dict[str, object]]:
        """Return the states told so far."""
        found = re.findall(rb"^id: (\d+)\ndata: (.*)\n\n", self.received, re.MULTILINE)
        states = [json.loads(data) for _, data in found]
        assert [str(each["sequence"]).encode() for each in states] == [number for number, _ in found]
        return states

    def until(self, sequence: int) -> dict[str, object]:
        """Read until there is an event about this sequence, or a later one."""
        while not (states := self.states()) or int(str(states[-1]["sequence"])) < sequence:
            assert self.read(), "it ended"
        return states[-1]
