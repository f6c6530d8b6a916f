"""`pexservice serve`."""

import gc
import os
from dataclasses import replace
from typing import Any, get_args

import click

from pexservice.cli import environment, options
from pexservice.cli.loading import Load
from pexservice.cli.options import Command, contradict, given, host, option, path, read, whole
from pexservice.config import (
    PORT_MAX,
    Durability,
    LogFormat,
    LogLevel,
    Settings,
    parse_address,
    parse_duration_s,
    parse_size_bytes,
)
from pexservice.limits import (
    CONNECTIONS_LIMIT,
    DEFAULT,
    DRAIN_TIMEOUT_S_MIN,
    IDEMPOTENCY_KEYS_LIMIT,
    IDEMPOTENCY_TTL_S_MIN,
    PENDING_LIMIT,
    SYNC_INTERVAL_S_MIN,
)


def _workers(text: str) -> int:
    """Return how many workers there are to be. Raises ValueError."""
    if text == "auto":
        from pexservice.process import cores  # noqa: PLC0415 - imports are start-up time.

        return cores.workers(DEFAULT.workers_max)
    return whole(1, DEFAULT.workers_max)(text)


@click.command(cls=Command)
@option("--host", metavar="HOST", default="127.0.0.1", callback=read(host), help="Address to listen on.")
@option(
    "--port",
    metavar="PORT",
    default=8081,
    callback=read(whole(0, PORT_MAX)),
    help="Port to listen on; 0 picks a free one.",
)
@option("--uds", metavar="PATH", callback=read(path), help="Unix socket to listen on, instead of --host and --port.")
@option(
    "--admin-bind",
    metavar="HOST:PORT",
    callback=read(parse_address),
    help="Address of a listener for /metrics, /livez and /readyz alone; --host and --port then do without these.",
)
@option(
    "--token-file",
    metavar="FILE",
    callback=read(path),
    help="File of the tokens, one a line, of which a step needs any; without it everyone may step.",
)
@options.data_dir
@options.store
@option(
    "--durability",
    type=click.Choice(get_args(Durability)),
    default="fsync",
    help="fsync: a step is on disk before it is answered. interval: it is written, and synced every --sync-interval; "
    "that survives a killed process, but a power loss may cost the last interval.",
)
@option(
    "--sync-interval",
    metavar="DURATION",
    default="1s",
    callback=read(parse_duration_s),
    help="How often to sync, with --durability interval.",
)
@option(
    "--workers",
    metavar="COUNT|auto",
    default="1",
    callback=read(_workers),
    help="Processes that serve, beside one that owns the data; 1 is a single process that does both. auto: one less "
    "than there are processors, from four on; below, a single process is faster.",
)
@option(
    "--max-connections",
    metavar="COUNT",
    callback=read(whole(1, CONNECTIONS_LIMIT)),
    default=DEFAULT.connections_max,
    help="Connections at a time; beyond it the one idle longest is closed.",
)
@option(
    "--max-pending",
    metavar="COUNT",
    callback=read(whole(1, PENDING_LIMIT)),
    default=DEFAULT.pending_max,
    help="Steps that may wait for the disk; beyond it they get 503.",
)
@option(
    "--keep-alive",
    metavar="DURATION",
    default=f"{DEFAULT.keep_alive_s:g}s",
    callback=read(parse_duration_s),
    help="Close a connection that was idle for so long.",
)
@option(
    "--drain-timeout",
    metavar="DURATION",
    callback=read(parse_duration_s),
    default=f"{DEFAULT.drain_timeout_s:g}s",
    help="How long a stop may take to answer what was accepted.",
)
@option(
    "--history-max-bytes",
    metavar="SIZE",
    callback=read(parse_size_bytes),
    default="1GiB",
    help="Remove the oldest segments of the journal when it exceeds this; 0 keeps all.",
)
@option(
    "--idempotency-keys",
    metavar="COUNT",
    callback=read(whole(1, IDEMPOTENCY_KEYS_LIMIT)),
    default=DEFAULT.idempotency_keys_max,
    help="How many keys of steps to know (Idempotency-Key); with a key that is forgotten a retry steps again.",
)
@option(
    "--idempotency-ttl",
    metavar="DURATION",
    callback=read(parse_duration_s),
    default="24h",
    help="How long to know a key, 1s or more.",
)
@option(
    "--log-format",
    type=click.Choice(get_args(LogFormat)),
    default="console",
    help="Log lines on standard error: for people, or a JSON object each.",
)
@option(
    "--log-level",
    type=click.Choice(get_args(LogLevel)),
    default="info",
    help="The least important lines to log.",
)
@click.pass_obj
def serve(load: Load, /, log_format: LogFormat, log_level: LogLevel, **values: Any) -> None:
    """Serve over HTTP until SIGTERM, SIGINT or SIGHUP.

    A second signal ends it at once.

    A DURATION is 500ms, 75s, 10m or 1h; a SIZE 64KiB, 512MiB, 1GiB, or 1GB of powers of 1000.
    """
    environment.check_assertions()
    _check(click.get_current_context(), values)
    from pexservice.process import logs  # noqa: PLC0415 - imports are start-up time.

    logs.configure(str(click.get_current_context().find_root().info_name), log_format, log_level)
    limits = replace(
        DEFAULT,
        connections_max=values["max_connections"],
        pending_max=values["max_pending"],
        keep_alive_s=values["keep_alive"],
        drain_timeout_s=values["drain_timeout"],
        drain_cold_s=min(DEFAULT.drain_cold_s, values["drain_timeout"]),
        drain_idle_s=min(DEFAULT.drain_idle_s, values["drain_timeout"]),
        history_bytes_max=values["history_max_bytes"],
        idempotency_keys_max=values["idempotency_keys"],
        idempotency_ttl_s=values["idempotency_ttl"],
    )
    settings = Settings(
        host=values["host"],
        port=values["port"],
        uds=values["uds"],
        token_file=values["token_file"],
        admin=values["admin_bind"],
        data_dir=values["data_dir"],
        store=values["store"],
        durability=values["durability"],
        sync_interval_s=values["sync_interval"],
        workers=values["workers"],
        limits=limits,
    )
    status = _serve(load, settings)
    logs.finish()
    os._exit(status)  # No thread is waited for: one may hang, on a disk or a name, and a stop must not.


def _serve(load: Load, settings: Settings) -> int:
    """Serve, log why it ended if that was not wanted, and return the exit status."""
    from pexservice.process import descriptors, logs  # noqa: PLC0415

    try:
        settings = descriptors.fitting(settings)  # First: to import what the rest needs takes some of them.

        gc.disable()  # PERF: as for the imports before.
        from pexservice.process import service  # noqa: PLC0415

        application = load()
        gc.freeze()
        gc.enable()
        service.serve(application, settings)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is one line and a status.
        return logs.tell_end(error)
    return 0


def _check(ctx: click.Context, values: dict[str, Any]) -> None:
    """Raise click.UsageError for options that contradict each other."""
    for name in ("host", "port"):
        contradict(ctx, "uds", name, "it listens on a Unix socket or on a port, not on both.")
    options.check_store(ctx, values["store"])
    for name in ("durability", "sync_interval"):
        contradict(ctx, "store", name, "the server makes groups durable, always.")
    contradict(ctx, "store", "workers", "workers share a data directory; start more replicas instead.")
    interval = given(ctx, "sync_interval")
    if interval and values["durability"] == "fsync":
        durability = given(ctx, "durability") or "the default of --durability"
        message = f"{interval} and {durability} contradict each other: with fsync, each group is synced at once."
        raise click.UsageError(message, ctx)
    if interval and values["sync_interval"] < SYNC_INTERVAL_S_MIN:
        message = f"{interval}: it must be {SYNC_INTERVAL_S_MIN * 1000:g}ms or more."
        raise click.UsageError(message, ctx)
    if values["max_pending"] < values["workers"]:
        message = (
            f"{given(ctx, 'max_pending')} and {given(ctx, 'workers')} contradict each other: of the steps that may "
            "wait, each worker needs one."
        )
        raise click.UsageError(message, ctx)
    if values["idempotency_ttl"] < IDEMPOTENCY_TTL_S_MIN:
        message = f"{given(ctx, 'idempotency_ttl')}: it must be {IDEMPOTENCY_TTL_S_MIN:g}s or more."
        raise click.UsageError(message, ctx)
    if values["drain_timeout"] < DRAIN_TIMEOUT_S_MIN:
        message = f"{given(ctx, 'drain_timeout')}: it must be {DRAIN_TIMEOUT_S_MIN * 1000:g}ms or more."
        raise click.UsageError(message, ctx)
    admin_host, admin_port = values["admin_bind"] or ("", 0)
    is_port_shared = not values["uds"] and values["port"] and values["port"] == admin_port
    if is_port_shared and _is_one(values["host"], admin_host):
        message = (
            f"{given(ctx, 'admin_bind')} and {given(ctx, 'port') or given(ctx, 'host') or '--port'} contradict each "
            "other: two listeners cannot have one address."
        )
        raise click.UsageError(message, ctx)


def _is_one(one: str, other: str) -> bool:
    """Tell whether two hosts cannot have listeners of one port, as far as that is known without looking names up."""
    from ipaddress import ip_address  # noqa: PLC0415 - imports are start-up time.

    try:
        first, second = (ip_address("127.0.0.1" if host == "localhost" else host) for host in (one, other))
    except ValueError:
        return one == other
    return first == second or (first.version == second.version and (first.is_unspecified or second.is_unspecified))
