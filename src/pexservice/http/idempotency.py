"""The field Idempotency-Key: a name that a client gives to one command, to ask again for it after whatever happened.

As the IETF's draft-ietf-httpapi-idempotency-key-header has it, which has expired without becoming an RFC. Two
differences: the draft's 409, for a command whose first request is still under way, is none here, since who asks again
is answered together with the first; and a key need not be quoted, as most clients that send one do not quote it.
"""

import re
from typing import Final, NamedTuple

from pexservice.core.keys import KEY_BYTES_MAX
from pexservice.errors import BadRequest
from pexservice.http.request import Request

_NAME: Final = b"idempotency-key"
_KEY = re.compile(rb'"([\x21\x23-\x5b\x5d-\x7e]{1,%d})"|([\x21\x23-\x7e]{1,%d})' % (KEY_BYTES_MAX, KEY_BYTES_MAX))
_PLAIN: Final = bytes(each for each in range(0x21, 0x7F) if each not in b'"\\')
_LINES: Final = (b"\r\nIdempotency-Key:", b"\r\nidempotency-key:")
"""How clients write the name; the parser takes every way to write it."""
_NEWLINE: Final = ord("\n")

_MALFORMED: Final = (
    f"Idempotency-Key must be one field with 1 to {KEY_BYTES_MAX} visible ASCII characters, in quotation marks or not, "
    "and none among them. No step was taken."
)
_NOT_HERE: Final = "Idempotency-Key goes with a step. What only reads can be asked again without: leave the field out."


def is_given(request: Request) -> bool:
    """Tell whether a request has the field."""
    return any(name == _NAME for name, _ in request.fields)


def check_none(request: Request) -> None:
    """Raise BadRequest if a request has the field."""
    if is_given(request):
        raise BadRequest(400, _NOT_HERE)


def key_of(request: Request) -> bytes | None:
    """Return the key of a request, without quotation marks, or None without one. Raises BadRequest."""
    values = [value for name, value in request.fields if name == _NAME]
    if not values:
        return None
    matched = _KEY.fullmatch(values[0])
    if matched is None or len(values) > 1:
        raise BadRequest(400, _MALFORMED)
    return matched[1] or matched[2]


class Cut(NamedTuple):
    """A request, cut in three."""

    before: bytes
    """All before the key: it ends within the line of the field, with a quotation mark if the key has two."""
    key: bytes
    behind: bytes
    without: bytes
    """The request without the line."""


def cut(head: bytes) -> Cut | None:
    """Cut the line of the field out of a head; return None if there is no such line that is well-formed.

    Only one is cut out. The head with the line is valid if and only if that without it is, has no other such line
    and room for one more field.
    """
    for line in _LINES:
        begin = head.find(line)
        if begin >= 0:
            end = head.find(b"\r\n", begin + len(line))
            value = head[begin + len(line) : end].strip(b" \t")
            matched = _KEY.fullmatch(value)
            # Behind the empty line that ends a head, another request begins; a line that begins with a space goes on.
            if matched is None or head[begin - 1] == _NEWLINE or head[end + 2 : end + 3] in (b" ", b"\t"):
                return None
            key = matched[1] or matched[2]
            at = head.index(key, begin + len(line))
            return Cut(head[:at], key, head[at + len(key) :], head[:begin] + head[end:])
    return None


def is_plain(key: bytes) -> bool:
    """Tell whether bytes are a key that means the same in quotation marks and without. PERF: 0.15 us."""
    return 0 < len(key) <= KEY_BYTES_MAX and not key.translate(None, _PLAIN)
