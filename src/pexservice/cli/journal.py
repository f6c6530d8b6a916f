"""`pexservice journal`: the history, read beside a running service or without one."""

from collections.abc import Mapping
from contextlib import suppress
from itertools import chain, islice
from os.path import lexists, realpath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from pexservice.cli import environment, options
from pexservice.cli.history import read_history, tell_beyond
from pexservice.cli.loading import Load
from pexservice.cli.looping import looped
from pexservice.cli.options import Command, CommandGroup
from pexservice.cli.server_history import read_server
from pexservice.config import StoreUrl
from pexservice.core.judging import Place
from pexservice.core.machine import Machine
from pexservice.disk import LOCK_NAME
from pexservice.errors import CannotCreate, DirectoryOwned, NoJournal
from pexservice.process.beginning import in_a_line
from pexservice.stores.journal.record import SEQUENCE_MAX, decode_keys
from pexservice.stores.journal.ring import RING_NAME

if TYPE_CHECKING:
    from pexservice.stores.journal.backup import Backup

_SHOWN_ROWS: Final = 10
_BACKUP: Final = "the directory of the backup"

last = click.option(
    "--last", metavar="N", callback=options.read(options.whole(0, SEQUENCE_MAX)), help="Only the last N."
)
begin = click.option(
    "--from",
    "begin",
    metavar="SEQUENCE",
    callback=options.read(options.whole(0, SEQUENCE_MAX)),
    help="Only from this sequence on.",
)


def journal_commands(more: Mapping[str, click.Command]) -> CommandGroup:
    """Return the group of commands that read the journal, and `more`."""
    commands = {"verify": verify, "show": show, "backup": backup, **more}
    help_text = f"""Read the history: {", ".join(commands)}.

    These commands change nothing in it, and may run beside the service. They end with status 66 if there is no journal,
    and with 65 at the first damage, naming file, line and byte offset.
    """
    return CommandGroup("journal", commands, help=help_text)


@click.command(cls=Command)
@options.data_dir
@options.store
@click.pass_obj
def verify(load: Load, /, data_dir: Path, store: StoreUrl | None) -> None:
    """Prove every row.

    That is its checksum and its arithmetic, that each file goes on from where the one before it ended, and that the
    keys are there; at a server, that each row goes on from the one before it.
    """
    options.check_store(click.get_current_context(), store)
    if store is not None:
        _verify_server(load().machine, store)
        return
    rows = 0
    names: list[str] = []
    begin: Place[Any] | None = None
    with read_history(load().machine, data_dir, reads_keys=True) as history:
        for piece in history.pieces():
            names.append(piece.name)
            for _ in history.rows(piece):
                rows += 1
            begin = begin or piece.start
            if piece.dropped:
                click.echo(f"{piece.name}: {_plural(piece.dropped, 'line')} in flight, never answered", err=True)
            end = piece.end
        assert begin is not None, "a history has a beginning"
        history.check_keys(begin, end)
    count = _plural(sum(name != RING_NAME for name in names), "segment")
    state = in_a_line(history.codec.machine.describe(end.state))
    click.echo(f"{count}, {_plural(rows, 'group')}: whole. Sequence {end.sequence}, {state}.")


def _verify_server(machine: Machine[Any, Any], store: StoreUrl) -> None:
    rows = 0
    with read_server(machine, store) as history:
        for group in history.groups():
            rows += 1
            end = group.end
    click.echo(f"{_plural(rows, 'group')}: whole. Sequence {end.sequence}, {in_a_line(machine.describe(end.state))}.")


@click.command(cls=Command)
@options.data_dir
@options.store
@last
@begin
@click.pass_obj
def show(load: Load, /, data_dir: Path, store: StoreUrl | None, last: int | None, begin: int | None) -> None:
    """Show the files of a directory, and the last groups of steps.

    These are 10, or the last N, or those from the one on that holds the step with number SEQUENCE.
    """
    ctx = click.get_current_context()
    options.contradict(ctx, "last", "begin", "say how many, or from where.")
    options.check_store(ctx, store)
    last = _SHOWN_ROWS if last is None and begin is None else last
    if store is not None:
        _show_server(load().machine, store, last, begin)
        return
    counts: dict[int, int] = {}
    with read_history(load().machine, data_dir) as history:
        describe = history.codec.machine.describe
        for piece in history.pieces():
            if not counts:
                click.echo(f"{'file':36}{'bytes':>12}{'groups':>10}  {'sequence':>24}    state")
            counts[history.index(piece)] = len(piece.bodies)
            places = f"{piece.start.sequence}..{piece.end.sequence}"
            click.echo(
                f"{piece.name:36}{history.size_bytes(piece):>12}{len(piece.bodies):>10}  {places:>24}  "
                f"{in_a_line(describe(piece.end.state))}"
            )
        # Counted from the end, so that no more is read than is shown. The newest segment is read in any case; and it
        # may have got rows from the ring meanwhile, which come at the same count.
        first = _first(counts, last) if begin is None else history.index_of(begin)
        first = min(first, max(index for index in counts if index == min(counts) or index < max(counts)))
        count = sum(counts[index] for index in counts if index >= first)
        rows = islice(chain.from_iterable(piece.rows for piece in history.pieces(first)), count)
        for row in rows if last is None else islice(rows, max(count - last, 0), None):
            if row.place.sequence >= (begin or 0):
                place = row.place
                keys = f"  {_plural(len(decode_keys(row.keys)), 'key')}" if row.keys else ""
                click.echo(f"{row.time}  sequence {place.sequence}  {describe(place.state)}  {row.commands:.60}{keys}")
        tell_beyond(begin, history.end)


def _show_server(machine: Machine[Any, Any], store: StoreUrl, last: int | None, begin: int | None) -> None:
    with read_server(machine, store) as history:
        if last == 0:
            return
        for group in history.groups(begin, None if last is None else history.last - last + 1):
            commands = f"  {group.commands:.60}" if group.commands else ""
            place = f"sequence {group.end.sequence}  {machine.describe(group.end.state)}"
            click.echo(f"{group.time}  {place}{commands}")
        tell_beyond(begin, history.end)


@click.command(cls=Command)
@options.data_dir
@click.argument("target", metavar="DIR", callback=options.read(options.path))
@click.option(
    "--salvage",
    is_flag=True,
    help="Of a damaged journal, write what still goes together; answered steps, or all keys, may be lost.",
)
@click.pass_obj
def backup(load: Load, /, data_dir: Path, target: Path, *, salvage: bool) -> None:
    """Write a backup to DIR, also while the service runs.

    DIR must be empty, or not be there. It becomes a journal like any other, proved row by row, with all that was
    answered before the command began.
    """
    environment.check_assertions()
    options.check_no_store("Back up the server as PostgreSQL is backed up, with pg_dump")
    machine = load().machine
    with read_history(machine, data_dir, is_hidden=True, is_salvaging=salvage):
        pass  # There is one; and nothing was created.
    _check_empty(target, data_dir)
    missing = [each for each in (target, *target.parents) if not lexists(each)]
    made, is_ours = None, True
    try:
        made = looped(lambda: _back_up(machine, data_dir, target, is_salvaging=salvage))
    except DirectoryOwned:  # By another backup, which is about to fill it.
        is_ours = False
        raise
    finally:
        if made is None and is_ours:
            _clear_away(missing)
    if made is None:
        raise NoJournal(f"there is no journal in {data_dir}: no segment is whole yet. Try again.")
    click.echo(f"Sequence {made.end.sequence}, {in_a_line(machine.describe(made.end.state))}, now in {target}.")
    if not made.has_whole_ring:
        message = "Not all of the ring could be used: steps since the history was last written may be missing."
        click.echo(message, err=True)
    if not made.has_keys:
        click.echo("The keys are lost: a step that is asked for again with its key is taken again.", err=True)


async def _back_up(
    machine: Machine[Any, Any], data_dir: Path, target: Path, *, is_salvaging: bool
) -> "Backup[Any] | None":
    # Imports are start-up time.
    from pexservice.disk.linux import LinuxDisk, Role  # noqa: PLC0415
    from pexservice.disk.syncer import Syncer  # noqa: PLC0415
    from pexservice.stores.journal import backup as backups  # noqa: PLC0415
    from pexservice.stores.journal.record import Codec  # noqa: PLC0415

    source, copy = LinuxDisk.inspect(data_dir), LinuxDisk.own(target, Syncer(), Role(_BACKUP, "as DIR"))
    try:
        return await backups.backup(source, copy, Codec(machine), is_salvaging=is_salvaging)
    finally:
        source.close()
        copy.close()


def _clear_away(made: list[Path]) -> None:
    """Remove directories that were made for a backup, the innermost first, unless something else is in them."""
    with suppress(OSError):  # It is told already why there is no backup.
        if made and {each.name for each in made[0].iterdir()} == {LOCK_NAME}:
            (made[0] / LOCK_NAME).unlink()
        for each in made:
            each.rmdir()


def _check_empty(target: Path, data_dir: Path) -> None:
    """Raise CannotCreate if a directory is not for a backup to use."""
    with suppress(OSError):  # The working directory was removed: there is no such place.
        if Path(realpath(target)).is_relative_to(realpath(data_dir)):  # A loop of links is no error of `realpath`.
            raise CannotCreate(f"{_BACKUP} {target} is in the data directory. Choose another directory as DIR.")
    try:
        found = {each.name for each in target.iterdir()} - {LOCK_NAME}
    except OSError:
        return  # There is none; or whoever takes possession of it says what is wrong with it.
    if found:
        raise CannotCreate(f"{_BACKUP} {target} is not empty: it has {min(found)}. Choose another directory as DIR.")


def _first(counts: dict[int, int], last: int | None) -> int:
    """Return the index of the first file of which groups are shown."""
    missing = sum(counts.values()) if last is None else last
    first = max(counts) + 1
    while missing > 0 and first > min(counts):
        first -= 1
        missing -= counts[first]
    return first


def _plural(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"
