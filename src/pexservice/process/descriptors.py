"""How many descriptors this process may have, and so how many connections."""

import resource
from contextlib import suppress
from dataclasses import replace

import structlog

from pexservice.config import Settings
from pexservice.errors import Scarce

log = structlog.get_logger()


def fitting(settings: Settings) -> Settings:
    """Return settings with as many connections as the descriptor limit allows, after raising it as far as it goes.

    Raises Scarce if it allows none.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limits = settings.limits
    reserved = limits.reserved_descriptors + (limits.admin_connections_max if settings.admin else 0)
    wanted = limits.connections_max
    needed = wanted + reserved
    if soft != resource.RLIM_INFINITY and soft < needed:
        possible = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        with suppress(OSError, ValueError):  # A sandbox may forbid the call, and then has set the limit.
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, possible), hard))
            soft = max(soft, possible)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return settings
    allowed = soft - reserved
    if allowed < 1:
        raise Scarce(
            f"this process may have {soft} file descriptors, and needs {reserved} besides those of connections. "
            "Raise the limit (ulimit -n; LimitNOFILE= of systemd)."
        )
    log.warning("the descriptor limit allows fewer connections", wanted=wanted, allowed=allowed)
    return replace(settings, limits=replace(limits, connections_max=allowed))
