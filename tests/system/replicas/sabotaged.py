"""`pexservice`, with one safeguard of the store on PostgreSQL taken out: the first argument says which."""

import sys
from typing import Any, Final

from pexservice.cli import main
from pexservice.core.judging import Judgement, judge
from pexservice.stores.postgres import rules, session, store

_LAST: Final = "SELECT max(writer_group) FROM pexservice.history WHERE writer = $1"


def resolution() -> None:
    """A group that is sent again is a new one."""

    async def take(self: Any, commands: Any, clamp: Any) -> Judgement[Any, Any]:
        async def call(connection: Any) -> Any:
            last = await connection.fetchval(_LAST, self._writer)
            group = (self._writer, last + 1, 0, *clamp, len(commands), self._machine.encode(commands))
            self._group = last
            return await connection.fetchrow(store._TAKE, *group)

        row = await self._session.call(call)
        taken: Judgement[Any, Any] = self._taken(row["at_number"], judge(self._machine, self._place_of(row), commands))
        return taken

    store.PostgresStore._take = take  # type: ignore[method-assign]


def standby() -> None:
    """Commits do not wait for the standby, and nobody looks whether they do."""
    rules.SESSION["synchronous_commit"] = "local"
    vars(session)["refusal"] = lambda *_: None


def warnings() -> None:
    """An answer is believed whatever warning comes with it."""
    session.Session._connect = _unheard(session.Session._connect)  # type: ignore[method-assign]


def _unheard(connect: Any) -> Any:
    async def connected(self: Any) -> Any:
        connection = await connect(self)
        connection._log_listeners.clear()
        return connection

    return connected


if __name__ == "__main__":
    {each.__name__: each for each in (resolution, standby, warnings)}[sys.argv.pop(1)]()
    main()
