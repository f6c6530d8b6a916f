"""Bounds that contradict each other are none."""

from dataclasses import fields, replace

import pytest

from pexservice.limits import DEFAULT, ROW_COMMANDS_MAX


@pytest.mark.parametrize(
    "change",
    [
        {"group_commands_max": 0},
        {"group_commands_max": ROW_COMMANDS_MAX + 1},
        {"tick_s_max": DEFAULT.sweep_period_s / 2},
        {"group_answer_bytes_max": DEFAULT.unsent_bytes_max + 1},
        {"read_bytes_max": DEFAULT.write_buffer_bytes_max + 1},
        {"memo_answer_bytes_max": DEFAULT.memo_request_bytes_max + 1},
        {"request_line_bytes_max": DEFAULT.header_bytes_max + 1},
        {"body_bytes_max": DEFAULT.chunked_bytes_max + 1},
        {"drain_idle_s": DEFAULT.drain_cold_s * 2},
        {"drain_cold_s": DEFAULT.drain_timeout_s * 2},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_relation_that_does_not_hold_is_noticed_at_once(change: dict[str, float]) -> None:
    """Before anything runs with it."""
    with pytest.raises(AssertionError):
        replace(DEFAULT, **change)  # type: ignore[arg-type]  # Of either kind of number.


def test_every_bound_is_a_number_above_nothing() -> None:
    """Zero or less would be a service that does nothing."""
    assert all(getattr(DEFAULT, each.name) > 0 for each in fields(DEFAULT))


def test_workers_share_what_is_the_services() -> None:
    """Of what may wait and of who may watch each has a part, and never none."""
    limits = replace(DEFAULT, pending_max=1000, connections_max=100, watchers_max=2000)
    assert limits.watching_max == 50
    shared = limits.shared_by(4)
    assert (shared.pending_max, shared.watching_max) == (250, 12)
    assert (limits.shared_by(2000).pending_max, limits.shared_by(2000).watching_max) == (1, 1)
