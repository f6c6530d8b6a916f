"""Every bound of the service in one place, each with its unit in its name and the reason beside it.

The idea: a service on 512 MiB stays up because nothing in it can grow without end. Those that an operator may want to
change are options of `pexservice serve`, and these are their defaults.
"""

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB

# The journal.
SEGMENT_BYTES_MAX: Final = 4 * MIB
"""A segment is closed beyond it. A start proves one segment: 4 MiB are 70,000 rows, 40 ms."""
HISTORY_BYTES_MAX: Final = 1 * GIB
"""Oldest segments go beyond it: some 18 million groups, hours of full load."""

# The engine.
PENDING_STEPS_MAX: Final = 16_384
"""Steps waiting for the disk. More than every connection having one; at 5,000 syncs/s some 0.2 s of work."""
PENDING_STEPS_LIMIT: Final = 10_000_000
"""The most that may be asked for: some GiB of memory."""
GROUP_STEPS_MAX: Final = 4_096
"""Steps in a group. Keeps a row under 9 KiB when no two neighbours are alike, and a group's answers under 2 ms."""
GROUP_ANSWER_BYTES_MAX: Final = 4 * MIB
"""Digits rendered for one group: some 10 ms, for which nobody else is served."""
UNSENT_BYTES_MAX: Final = 128 * MIB
"""Answers rendered but not taken by their clients, over all connections; a quarter of the smallest machine."""
HEAL_PERIOD_S: Final = 1.0
"""How often a full disk is tried again."""

# The wire. nginx and Apache httpd allow 8 KiB for a line and 100 fields; ours need a hundredth of it.
REQUEST_LINE_BYTES_MAX: Final = 4 * KIB
HEADER_BYTES_MAX: Final = 16 * KIB
HEADER_FIELDS_MAX: Final = 64
BODY_BYTES_MAX: Final = 1 * KIB
"""No endpoint reads a body."""
CHUNKED_BYTES_MAX: Final = 16 * KIB
"""A chunked body with its framing, extensions and trailers: 1-byte chunks take six bytes each."""
REQUEST_TIMEOUT_S: Final = 10
"""For a new connection's first byte, for the rest of a header, for a body, and for progress in reading an answer."""
LINGER_S: Final = 2
"""After a last answer, to read what the client was still sending, so that the answer is not lost to a reset."""
KEEP_ALIVE_S: Final = 75
"""An idle connection. Longer than the 60 s of common proxies, so that they close first and race with nothing."""
SWEEP_PERIOD_S: Final = 1.0
"""How often deadlines are looked at: one pass over all connections instead of a timer for each."""
TICK_S_MAX: Final = 2 * SWEEP_PERIOD_S
"""What a pass that comes late counts for: the process was suspended, and its clients had nobody to talk to."""
UNANSWERED_STEPS_MAX: Final = 256
"""Pipelined steps of one connection that wait at a time; the rest of its requests wait unread."""
WRITE_BUFFER_BYTES_MAX: Final = 16 * KIB
"""Unsent bytes of one connection beyond which it is not read. Times 10,000 connections, 160 MiB."""
READ_BYTES_MAX: Final = 4 * KIB
"""Read from a connection at a time, so also what waits of it, as bytes, while its client does not take answers."""
READ_AHEAD_MAX: Final = 4
"""Requests of a connection that are parsed before the first of them is carried out. Parsed, one takes 1 KiB, however
short it was."""
CONNECTIONS_MAX: Final = 10_000
CONNECTIONS_LIMIT: Final = 1_000_000
"""The most that may be asked for: about as many descriptors as a process may have (fs.nr_open)."""
RESERVED_DESCRIPTORS: Final = 32
"""Descriptors kept back from connections, for the journal, the listener, the log and the event loop."""
BACKLOG: Final = 4_096
"""Connections that the kernel holds before they are accepted; it takes at most net.core.somaxconn."""

# Access.
TOKEN_CHARACTERS_MIN: Final = 22
"""22 characters of base64 hold 128 bits, the least that nobody guesses (RFC 6749, 10.10)."""
TOKEN_FILE_BYTES_MAX: Final = 4 * KIB
"""Some 90 tokens of 256 bits; two are enough to replace one."""
ADMIN_CONNECTIONS_MAX: Final = 16
"""Connections to the listener of --admin-bind: a kubelet, some scrapers and a person. They come on top of the others,
so that they are served when all of those are taken."""

# The log.
LOG_LINES_WAITING_MAX: Final = 1_000
"""Lines on their way to standard error: some 300 KB. Its events come at most once a second each."""

# Memory of requests seen before (http/memo.py).
MEMO_REQUESTS_MAX: Final = 1_024
MEMO_REQUEST_BYTES_MAX: Final = 2 * KIB
MEMO_ANSWER_BYTES_MAX: Final = 1 * KIB
"""An answer that is kept beside its request, to be sent again while nothing changes: one of up to 700 digits."""

# Start and stop.
START_NAME_S: Final = 10
"""For the name of a host to be looked up: longer than a resolver tries one server twice."""
START_DISK_S: Final = 60
"""For the token file to be read, and for the data directory to be had: some syncs of a very slow disk."""
RECOVERY_PATIENCE_S: Final = 1.0
"""A start answers 503 only if recovery takes longer; until then clients wait in the kernel's backlog."""
REPORT_PERIOD_S: Final = 5
"""How often the service manager hears how it goes, if its watchdog does not want to more often."""
START_PATIENCE_S: Final = 30
"""How much longer a start may take, as of each report on it: some reports may be lost."""
STOP_PATIENCE_S: Final = 10
"""How much longer than the drain timeout a stop may take, before the service manager kills: for the last sync."""
DRAIN_TIMEOUT_S: Final = 10
DRAIN_COLD_S: Final = 1.0
"""On a stop, a connection idle for longer is closed at once: of its pool, a proxy takes the one used last, so it hears
of these before it gets to them."""
DRAIN_IDLE_S: Final = 0.5
"""On a stop, how long another idle connection may still send the request that was under way; its answer says close."""
SYNC_INTERVAL_S: Final = 1
SYNC_INTERVAL_S_MIN: Final = 0.001
"""More often would be to sync all the time, and --durability fsync does that better."""
