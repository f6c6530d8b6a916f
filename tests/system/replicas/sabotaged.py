"""`pexservice`, with one safeguard of the store on PostgreSQL taken out: the first argument says which.

Those that are in the schema are taken out there, with a statement.
"""

import sys
from importlib.resources import files
from typing import Any, Final

from pexservice.cli import main
from pexservice.core.judging import Judgement, judge
from pexservice.stores.postgres import rules, session, store

_LAST: Final = "SELECT max(writer_group) FROM pexservice.history WHERE writer = $1"
_LOCK: Final = "    PERFORM pg_advisory_xact_lock(7305, 0);\n"
_LOOKUP: Final = """    SELECT writer_group INTO last_group
        FROM pexservice.history WHERE writer = his_writer ORDER BY writer_group DESC LIMIT 1;
"""
_LOCK_AND_LOOKUP: Final = """    WITH turn AS MATERIALIZED (SELECT pg_advisory_xact_lock(7305, 0))
        SELECT (SELECT max(writer_group) FROM pexservice.history WHERE writer = his_writer) INTO last_group FROM turn;
"""
_EMIT: Final = "        PERFORM pg_logical_emit_message(true, 'pexservice', '');\n"
_ONE_OF_A_NUMBER: Final = """
ALTER TABLE pexservice.history DROP CONSTRAINT history_writer_writer_group_key;
CREATE INDEX ON pexservice.history (writer, writer_group);
"""


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


def ending() -> None:
    """A call that was given up goes on at the server, where the next one may overlap with it."""

    async def leave(self: Any, connection: Any) -> None:
        pass

    session.Session._end_left = leave  # type: ignore[method-assign]


def filtered() -> str:
    """Return what has a repeat answered without a write, so that its commit waits for nobody."""
    return _turn({_EMIT: ""})


def cte() -> str:
    """Return what has the turn taken beside the look at the writer's last group, which is then as of before the wait.

    Without the constraint that would refuse a second group of a number.
    """
    return _turn({_LOCK: _LOCK_AND_LOOKUP, _LOOKUP: ""}) + _ONE_OF_A_NUMBER


def _turn(changes: dict[str, str]) -> str:
    schema = (files("pexservice.stores.postgres") / "schema.sql").read_text("ascii")
    begin = schema.index("CREATE FUNCTION pexservice.turn(")
    turn = schema[begin : schema.index("END $$;", begin)] + "END $$;"
    for safe, unsafe in {"CREATE FUNCTION": "CREATE OR REPLACE FUNCTION", **changes}.items():
        assert turn.count(safe) == 1, safe
        turn = turn.replace(safe, unsafe)
    return turn


if __name__ == "__main__":
    {each.__name__: each for each in (resolution, standby, warnings, ending)}[sys.argv.pop(1)]()
    main()
