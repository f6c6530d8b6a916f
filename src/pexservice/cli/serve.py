"""`pexservice serve`."""

import os
from pathlib import Path
from typing import Any

import click

from pexservice import limits
from pexservice.cli import options
from pexservice.cli.options import ADDRESS, DURATION, SIZE, option
from pexservice.config import Settings
from pexservice.errors import Fatal, defect, scarcity


@click.command()
@option("--host", default="127.0.0.1", help="Address to listen on.")
@option("--port", type=click.IntRange(0, 65535), default=8081, help="Port to listen on; 0 picks a free one.")
@option("--uds", type=click.Path(path_type=Path, dir_okay=False), help="Unix socket to listen on, instead of a port.")
@option(
    "--admin-bind",
    type=ADDRESS,
    help="Address of a listener for /metrics, /livez and /readyz alone; --host and --port then do without these.",
)
@option(
    "--token-file",
    type=click.Path(path_type=Path, readable=False),  # That is for 77.
    help="File of the tokens, one a line, of which a step needs any; without it everyone may step.",
)
@options.data_dir
@option(
    "--durability",
    type=click.Choice(["fsync", "interval"]),
    default="fsync",
    help="fsync: a step is on disk before it is answered. interval: it is written, and synced every --sync-interval; "
    "that survives a killed process, but a power loss may cost the last interval.",
)
@option("--sync-interval", type=DURATION, default=f"{limits.SYNC_INTERVAL_S}s", help="See --durability.")
@option(
    "--max-connections",
    type=click.IntRange(1, limits.CONNECTIONS_LIMIT),
    default=limits.CONNECTIONS_MAX,
    help="Connections at a time; beyond it the one idle longest is closed.",
)
@option(
    "--max-pending",
    type=click.IntRange(1, limits.PENDING_STEPS_LIMIT),
    default=limits.PENDING_STEPS_MAX,
    help="Steps that may wait for the disk; beyond it they get 503.",
)
@option("--keep-alive", type=DURATION, default=f"{limits.KEEP_ALIVE_S}s", help="Close a connection idle for so long.")
@option(
    "--drain-timeout",
    type=DURATION,
    default=f"{limits.DRAIN_TIMEOUT_S}s",
    help="How long a stop may take to answer what was accepted.",
)
@option(
    "--history-max-bytes",
    type=SIZE,
    default="1GiB",
    help="Remove the oldest segments of the journal when it exceeds this; 0 keeps all.",
)
@option(
    "--log-format",
    type=click.Choice(["console", "json"]),
    default="console",
    help="Log lines on standard error: for people, or a JSON object each.",
)
@option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error", "critical"]),
    default="info",
    help="The least important lines to log.",
)
def serve(log_format: Any, log_level: str, **given: Any) -> None:
    """Serve the walk over HTTP until SIGTERM, SIGINT or SIGHUP; a second signal ends it at once.

    If the data directory holds a fibo.csv of the original service and no journal, the walk goes on from there.
    """
    from pexservice.process import logs  # noqa: PLC0415 - imports are start-up time.

    if given["durability"] == "interval" and given["sync_interval"] < limits.SYNC_INTERVAL_S_MIN:
        message = f"must be {limits.SYNC_INTERVAL_S_MIN * 1000:g}ms or more."
        raise click.BadParameter(message, param_hint="--sync-interval")
    logs.configure(log_format, log_level)
    settings = Settings(
        host=given["host"],
        port=given["port"],
        uds=given["uds"],
        token_file=given["token_file"],
        admin=given["admin_bind"],
        data_dir=given["data_dir"],
        durability=given["durability"],
        sync_interval_s=given["sync_interval"],
        connections_max=given["max_connections"],
        pending_steps_max=given["max_pending"],
        keep_alive_s=given["keep_alive"],
        drain_timeout_s=given["drain_timeout"],
        history_bytes_max=given["history_max_bytes"],
    )
    status = _serve(settings)
    logs.finish()
    os._exit(status)  # No thread is waited for: one may hang, on a disk or a name, and a stop must not.


def _serve(settings: Settings) -> int:
    """Serve, log why it ended if that was not wanted, and return the exit status."""
    from pexservice.process import descriptors, logs  # noqa: PLC0415

    try:
        settings = descriptors.fitting(settings)  # First: to import what the rest needs takes some of them.

        from pexservice.process import service  # noqa: PLC0415

        service.serve(settings)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is one line and a status.
        fatal = error if isinstance(error, Fatal) else scarcity(error)
        if fatal is None:
            logs.log.critical("unexpected error, a defect of this program", defect=defect(error))
            return Fatal.exit_status
        logs.log.critical("cannot go on", error=str(fatal), exit_status=fatal.exit_status)
        return fatal.exit_status
    return 0
