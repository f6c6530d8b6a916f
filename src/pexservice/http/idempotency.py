"""The field Idempotency-Key: a name that a client gives to one command, to ask again for it after whatever happened.

As the IETF's draft-ietf-httpapi-idempotency-key-header has it, which has expired without becoming an RFC. Two
differences: the draft's 409, for a command whose first request is still under way, is none here, since who asks again
is answered together with the first; and a key need not be quoted, as most clients that send one do not quote it.
"""

import re
from typing import Final

from pexservice.core.keys import KEY_BYTES_MAX
from pexservice.errors import BadRequest
from pexservice.http.request import Request

_NAME: Final = b"idempotency-key"
_NEWLINE: Final = ord("\n")
_QUOTED: Final = rb'"([\x21\x23-\x5b\x5d-\x7e]{1,%d})"' % KEY_BYTES_MAX
_UNQUOTED: Final = rb"([\x21\x23-\x7e]{1,%d})" % KEY_BYTES_MAX
_KEY = re.compile(rb"%b|%b" % (_QUOTED, _UNQUOTED))
_SEARCHES: Final = [
    re.compile(rb"\r\n%b:[ \t]*%b[ \t]*\r\n(?![ \t])" % (name, value)).search
    for value in (_UNQUOTED, _QUOTED)
    for name in (b"Idempotency-Key", b"idempotency-key")
]
"""Find the line as clients write it; the parser takes every way to write it. PERF: each begins with fixed bytes, which
are found in a fifth of the time that choices take."""

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


def cut(head: bytes) -> tuple[bytes, bytes] | None:
    """Return a head without its line of the field, and the key; None if there is no such line that is well-formed.

    Only one is cut out. The head with the line is valid if and only if that without it is, has no other such line
    and room for one more field.
    """
    for search in _SEARCHES:
        matched = search(head)
        if matched is not None:
            begin, end = matched.span()
            if head[begin - 1] == _NEWLINE:  # Behind the empty line that ends a head, another request begins.
                return None
            return head[:begin] + head[end - 2 :], matched[1]
    return None
