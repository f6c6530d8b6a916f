"""Messages at the limits of `limits.py`: one byte, field or step below each, at it, and above it."""

from typing import Final

from pexservice.limits import DEFAULT
from support.messages import HOST, NEXT, Invalid, Valid, chunked, chunks_of, fields_of, line_of, raw


def _around(limit: int) -> tuple[int, int, int]:
    return limit - 1, limit, limit + 1


def _judged(data: bytes, *, is_within: bool, status: int) -> Valid | Invalid:
    return Valid(data) if is_within else Invalid(data, status)


MESSAGES: Final = [
    *(
        _judged(raw(line=line_of(size)), is_within=size <= DEFAULT.request_line_bytes_max, status=414)
        for size in _around(DEFAULT.request_line_bytes_max)
    ),
    *(
        _judged(raw(fields_of(size)), is_within=size <= DEFAULT.header_bytes_max, status=431)
        for size in _around(DEFAULT.header_bytes_max)
    ),
    *(
        _judged(raw(HOST + b"A: b\r\n" * (count - 1)), is_within=count <= DEFAULT.header_fields_max, status=431)
        for count in _around(DEFAULT.header_fields_max)
    ),
    *(
        _judged(
            raw(HOST + b"Content-Length: %d\r\n" % size, body=bytes(size)),
            is_within=size <= DEFAULT.body_bytes_max,
            status=413,
        )
        for size in _around(DEFAULT.body_bytes_max)
    ),
    *(
        _judged(
            chunked(b"%x\r\n%b\r\n0\r\n\r\n" % (size, bytes(size))),
            is_within=size <= DEFAULT.body_bytes_max,
            status=413,
        )
        for size in _around(DEFAULT.body_bytes_max)
    ),
    *(
        _judged(chunked(b"1\r\na\r\n" * size + b"0\r\n\r\n"), is_within=size <= DEFAULT.body_bytes_max, status=413)
        for size in _around(DEFAULT.body_bytes_max)
    ),
    *(
        _judged(chunked(chunks_of(size)), is_within=size <= DEFAULT.chunked_bytes_max, status=413)
        for size in _around(DEFAULT.chunked_bytes_max)
    ),
]

PIPELINES: Final = [
    *(NEXT * count for count in _around(DEFAULT.unanswered_steps_max)),
    *(raw(fields_of(size - len(raw(b"")))) for size in _around(DEFAULT.memo_request_bytes_max)),
]
"""As many steps as may wait on one connection, and messages as large as are remembered."""
