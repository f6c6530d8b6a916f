"""Messages at the limits of `limits.py`: one byte, field or step below each, at it, and above it."""

from typing import Final

from pexservice.limits import (
    BODY_BYTES_MAX,
    CHUNKED_BYTES_MAX,
    HEADER_BYTES_MAX,
    HEADER_FIELDS_MAX,
    MEMO_REQUEST_BYTES_MAX,
    REQUEST_LINE_BYTES_MAX,
    UNANSWERED_STEPS_MAX,
)
from support.messages import HOST, NEXT, Invalid, Valid, chunked, chunks_of, fields_of, line_of, raw


def _around(limit: int) -> tuple[int, int, int]:
    return limit - 1, limit, limit + 1


def _judged(data: bytes, *, is_within: bool, status: int) -> Valid | Invalid:
    return Valid(data) if is_within else Invalid(data, status)


MESSAGES: Final = [
    *(
        _judged(raw(line=line_of(size)), is_within=size <= REQUEST_LINE_BYTES_MAX, status=414)
        for size in _around(REQUEST_LINE_BYTES_MAX)
    ),
    *(
        _judged(raw(fields_of(size)), is_within=size <= HEADER_BYTES_MAX, status=431)
        for size in _around(HEADER_BYTES_MAX)
    ),
    *(
        _judged(raw(HOST + b"A: b\r\n" * (count - 1)), is_within=count <= HEADER_FIELDS_MAX, status=431)
        for count in _around(HEADER_FIELDS_MAX)
    ),
    *(
        _judged(
            raw(HOST + b"Content-Length: %d\r\n" % size, body=bytes(size)),
            is_within=size <= BODY_BYTES_MAX,
            status=413,
        )
        for size in _around(BODY_BYTES_MAX)
    ),
    *(
        _judged(chunked(b"%x\r\n%b\r\n0\r\n\r\n" % (size, bytes(size))), is_within=size <= BODY_BYTES_MAX, status=413)
        for size in _around(BODY_BYTES_MAX)
    ),
    *(
        _judged(chunked(b"1\r\na\r\n" * size + b"0\r\n\r\n"), is_within=size <= BODY_BYTES_MAX, status=413)
        for size in _around(BODY_BYTES_MAX)
    ),
    *(
        _judged(chunked(chunks_of(size)), is_within=size <= CHUNKED_BYTES_MAX, status=413)
        for size in _around(CHUNKED_BYTES_MAX)
    ),
]

PIPELINES: Final = [
    *(NEXT * count for count in _around(UNANSWERED_STEPS_MAX)),
    *(raw(fields_of(size - len(raw(b"")))) for size in _around(MEMO_REQUEST_BYTES_MAX)),
]
"""As many steps as may wait on one connection, and messages as large as are remembered."""
