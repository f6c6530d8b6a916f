"""Every bound of the service, each with its unit in its name and the reason beside it.

A service on 512 MiB stays up because nothing in it can grow without end. The bounds are one frozen value that is passed
to whatever needs it, so that a test can pass another. Those that an operator may want to change are options of
`pexservice serve`, and these are their defaults.
"""

from dataclasses import dataclass, replace
from typing import Final, Self

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB

ROW_COMMANDS_MAX: Final = 65_536
"""The most commands that a row may hold: a bound of the format, so that a row that was made up cannot take all
memory."""

PENDING_LIMIT: Final = 10_000_000
"""The most commands that an operator may let wait: some GiB of memory."""
CONNECTIONS_LIMIT: Final = 1_000_000
"""The most connections that an operator may ask for: about as many descriptors as a process may have (fs.nr_open)."""
IDEMPOTENCY_KEYS_LIMIT: Final = 1 << 18
"""The most keys that an operator may have known: 64 MiB of memory, and a tenth of a second to write them all down, in
which nobody is answered."""
IDEMPOTENCY_TTL_S_MIN: Final = 1.0
"""Times of rows count in seconds."""
BENCH_REQUESTS_MAX: Final = 200_000
"""Requests of one load: more than a minute of them, and some 60 MB to remember."""
BENCH_CONNECTIONS_MAX: Final = 500
"""Connections of one load: half of the descriptors that a process has by default."""
DEMO_KILLS_MAX: Final = 100
"""Kills of one demonstration: more leave its load no time between them."""
DEMO_REPLICAS_MAX: Final = 8
"""Replicas of one demonstration: some memory each, and some connections of the 100 that its server has."""
DRAIN_TIMEOUT_S_MIN: Final = 0.1
"""A stop writes and syncs the history, which takes a disk some time."""
SYNC_INTERVAL_S_MIN: Final = 0.001
"""More often would be to sync all the time, and --durability fsync does that better."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one service. Raises AssertionError where two of them contradict each other."""

    # The journal.
    segment_bytes_max: int = 1 * MIB
    """A segment that is as large is left alone; a smaller one is written again, longer. A start proves one: 1 MiB are
    17,000 rows, 10 ms."""
    history_bytes_max: int = 1 * GIB
    """Oldest segments go beyond it: some 18 million groups, hours of full load."""

    # Keys of commands (Idempotency-Key).
    idempotency_keys_max: int = 65_536
    """Keys that are known; beyond it the oldest go. Some 14 MiB, and a start reads them in 40 ms."""
    idempotency_ttl_s: float = 86_400.0
    """How long a key is known. Clients that retry give up sooner."""

    # The engine.
    pending_max: int = 16_384
    """Commands waiting for the disk. More than every connection having one; at 5,000 syncs/s some 0.2 s of work."""
    group_commands_max: int = 4_096
    """Commands in a group. Keeps a row under 9 KiB when no two neighbours are alike, and a group's answers under 2
    ms."""
    group_small_commands: int = 64
    """Fewer than these, on their way to another process, wait for what the event loop has at hand: a group costs there
    some 150 us, which is then less than what its commands cost."""
    group_answer_bytes_max: int = 4 * MIB
    """Digits rendered for one group: some 10 ms, for which nobody else is served. As many again for commands that were
    taken before, where values were longer. One answer that is longer than this is rendered all the same."""
    unsent_bytes_max: int = 128 * MIB
    """Answers rendered but not taken by their clients, over all connections; a quarter of the smallest machine."""
    heal_period_s: float = 1.0
    """How often a full disk is tried again."""

    # A server that keeps the state for all replicas.
    store_connect_s: float = 1.0
    """For a connection to one of its hosts, checks included; then the next is tried."""
    store_call_s: float = 2.0
    """For a call, from when it is sent. It is the time without service where a server is cut off without a word, so
    short; but longer than any commit on a healthy one."""
    store_pause_s: float = 0.05
    """Between tries, so that servers that refuse at once are not asked in a spin."""
    store_away_s: float = 5.0
    """No call succeeded for so long: who asks is turned away from then on. Longer than most failovers."""
    store_forget_s: float = 10.0
    """How often old history and keys are removed,"""
    store_forget_rows: int = 10_000
    """and how many rows at a time: some 100 ms of the server, which commits go on beside."""
    store_forget_pause_s: float = 0.05
    """And how long after, while there are more. So 70,000 keys/s were removed (2026-11-27) beside 27,000 that came, on
    the cores of docs/benchmarks.md."""
    store_row_bytes: int = 300
    """What a group takes there with its share of the indexes: by it a size of the history is a number of rows."""

    # The wire. nginx and Apache httpd allow 8 KiB for a line and 100 fields; ours need a hundredth of it.
    request_line_bytes_max: int = 4 * KIB
    header_bytes_max: int = 16 * KIB
    header_fields_max: int = 64
    body_bytes_max: int = 1 * KIB
    """No endpoint reads a body."""
    chunked_bytes_max: int = 16 * KIB
    """A chunked body with its framing, extensions and trailers: 1-byte chunks take six bytes each."""
    request_timeout_s: float = 10.0
    """For a new connection's first byte, for the rest of a header, for a body, and for progress in reading an
    answer."""
    linger_s: float = 2.0
    """After a last answer, to read what the client was still sending, so that the answer is not lost to a reset."""
    keep_alive_s: float = 75.0
    """An idle connection. Longer than the 60 s of common proxies, so that they close first and race with nothing."""
    sweep_period_s: float = 1.0
    """How often deadlines are looked at: one pass over all connections instead of a timer for each."""
    tick_s_max: float = 2 * sweep_period_s
    """The most that a late sweep counts for: the process was suspended, and its clients had nobody to talk to."""
    unanswered_steps_max: int = 256
    """Pipelined commands of one connection that wait at a time; the rest of its requests wait unread."""
    write_buffer_bytes_max: int = 16 * KIB
    """Unsent bytes of one connection beyond which it is not read. Times 10,000 connections, 160 MiB."""
    read_bytes_max: int = 4 * KIB
    """Read from a connection at a time, so also what waits of it, as bytes, while its client does not take answers."""
    read_ahead_max: int = 4
    """Requests of a connection that are parsed before the first of them is carried out. Parsed, one takes 1 KiB,
    however short it was."""
    connections_max: int = 10_000
    reserved_descriptors: int = 40
    """Descriptors kept back from connections, for the journal, the listener, the log and the event loop."""
    backlog: int = 4_096
    """Connections that the kernel holds before they are accepted; it takes at most net.core.somaxconn."""

    # Events (http/feed.py).
    watchers_max: int = 2_000
    """Clients that watch at a time, and never more than half of the connections: each keeps one to itself."""
    watch_glance_s: float = 0.02
    """Between two looks at whether there is something to tell: sooner than people notice."""
    watch_period_s: float = 0.1
    """Between two states that are told, at least: no more than a page can draw."""
    watch_share_max: float = 0.01
    """The share of the time that sending to watchers may take: a thousand of them are told less often than one."""
    watchers_at_once: int = 32
    """Watchers sent to in one go: some 0.3 ms, for which nobody else is served."""
    watcher_kernel_bytes: int = 8 * KIB
    """What the kernel may hold for a watcher (it doubles that): some events, so that who reads late skips the rest."""
    pulse_period_s: float = 1.0
    """How often watchers may be told how the service is."""
    comment_period_s: float = 15.0
    """Watchers are sent a comment as often, by which both ends, and what is between them, know that the other is there.
    Common proxies give up after 60 s."""

    # Access.
    token_characters_min: int = 22
    """22 characters of base64 hold 128 bits, the least that nobody guesses (RFC 6749, 10.10)."""
    token_file_bytes_max: int = 4 * KIB
    """Some 90 tokens of 256 bits; two are enough to replace one."""
    admin_connections_max: int = 16
    """Connections to the listener of --admin-bind: a kubelet, some scrapers and a person. They come on top of the
    others, so that they are served when all of those are taken."""

    # The log.
    log_lines_waiting_max: int = 1_000
    """Lines on their way to standard error: some 300 KB. Its events come at most once a second each."""

    # Memory of requests seen before (http/memo.py).
    memo_requests_max: int = 1_024
    memo_request_bytes_max: int = 2 * KIB
    memo_answer_bytes_max: int = 1 * KIB
    """An answer that is kept beside its request, to be sent again while nothing changes: one of up to 700 digits."""

    # Worker processes.
    workers_max: int = 32
    """The writer orders some million steps a second, which is what so many workers take."""
    message_bytes_max: int = 128 * KIB
    """Of one message between processes. Their sockets are given a buffer that takes it."""
    shared_state_bytes_max: int = 64 * KIB
    """A state, as text, that several processes share: it is published with each group."""
    shared_status_bytes_max: int = 64 * KIB
    """What a store tells of itself, as text: some measures and histograms, 2 KB of the journal."""
    beat_period_s: float = 1.0
    """How often a worker shows that it goes on, and tells what it uses."""
    beats_missed_max: int = 10
    """A worker that is silent for longer is replaced. A first value took 8 s at position 100,000,000, on a slow core;
    farther out clients ask for none (docs/using.md)."""
    nursery_patience_s: float = 10.0
    """For a worker to be started or ended: some milliseconds, unless the machine is out of memory."""
    replace_pause_s: float = 0.1
    """Before a worker that died is replaced; doubled each time that one dies young, so that what kills each at its
    start keeps no processor busy."""
    replace_pause_s_max: float = 10.0
    crowded_share: float = 1.25
    crowded_more: int = 3
    """A worker with more connections than so many times the fewest of any, and so many more, lets others accept
    first."""
    crowded_pause_s: float = 0.001
    """How long it does: others, idle, take a connection within 0.1 ms. So nobody waits for long if there are none."""

    # Start and stop.
    start_name_s: float = 10.0
    """For the name of a host to be looked up: longer than a resolver tries one server twice."""
    start_disk_s: float = 60.0
    """For the token file to be read, and for the data directory to be had: some syncs of a very slow disk."""
    recovery_patience_s: float = 1.0
    """A start answers 503 only if recovery takes longer; until then clients wait in the kernel's backlog."""
    start_quiet_s: float = 1.0
    """From serving until what only metrics need is imported: 40 ms of a core that the first answers need more."""
    report_period_s: float = 5.0
    """How often the service manager gets a report, unless its watchdog asks for more."""
    start_patience_s: float = 30.0
    """How much longer a start may take, as of each report on it: some reports may be lost."""
    stop_patience_s: float = 10.0
    """How much longer than the drain timeout a stop may take, before the service manager kills: for the last sync."""
    drain_timeout_s: float = 10.0
    drain_cold_s: float = 1.0
    """On a stop, a connection idle for longer is closed at once: of its pool, a proxy takes the one used last, so it
    learns that these are closed before it gets to them."""
    drain_idle_s: float = 0.5
    """On a stop, how long another idle connection may still send the request that was under way; its answer says
    close."""

    def __post_init__(self) -> None:
        """Hold the relations between bounds."""
        assert 1 <= self.group_commands_max <= ROW_COMMANDS_MAX, "a group fits into a row"
        assert self.tick_s_max >= self.sweep_period_s, "a sweep that is in time counts in full"
        assert self.group_answer_bytes_max <= self.unsent_bytes_max, "the answers of one group fit"
        assert self.shared_state_bytes_max < self.message_bytes_max, "a state fits into a message"
        assert self.read_bytes_max <= self.write_buffer_bytes_max, "what waits of a connection is less than it is owed"
        assert self.memo_answer_bytes_max <= self.memo_request_bytes_max, "an answer is kept beside its request"
        assert self.request_line_bytes_max <= self.header_bytes_max, "a line is shorter than a section"
        assert 0 < self.watch_share_max < 1, "most of the time is for those who ask"
        assert self.watch_glance_s <= self.watch_period_s <= self.pulse_period_s <= self.comment_period_s, (
            "what is looked at less often"
        )
        assert self.store_connect_s + self.store_call_s <= self.store_away_s, "a call is sent again before 503"
        assert self.body_bytes_max <= self.chunked_bytes_max, "framing adds to a body"
        assert self.drain_idle_s <= self.drain_cold_s <= self.drain_timeout_s, "a stop goes by how long one is idle"

    @property
    def watching_max(self) -> int:
        """How many clients may watch: `watchers_max`, or half of the connections."""
        return min(self.watchers_max, self.connections_max // 2)

    def shared_by(self, workers: int) -> Self:
        """Return the bounds of one of so many workers: its share of what may wait, and of those who may watch."""
        pending_max, watching_max = max(1, self.pending_max // workers), max(1, self.watching_max // workers)
        return replace(self, pending_max=pending_max, watchers_max=watching_max)


DEFAULT: Final = Limits()
