"""Who may step: anyone, or whoever shows one of the tokens of the operator (RFC 6750). No sockets, no files.

A token is looked at once for each distinct request, when the request is turned into an action, and the action is
remembered by all bytes of the request's head, the token among them (`memo.py`). So checking a token costs a request
nothing, and the tokens must stay the same for as long as the process runs: new ones come with a restart.

The look-up gives no token away, although it takes no constant time. A dictionary compares bytes only after their 64-bit
hashes were found equal, and the hash (SipHash under a key that each process draws anew) is of the whole head: nobody
can steer how far a comparison gets. Its time tells at most whether these very bytes were sent before, which is known to
whoever can send them. A head that was not seen before is compared here, in constant time.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pexservice.http.request import Request

_CREDENTIALS = re.compile(rb"bearer(?: +(.*))?", re.IGNORECASE)  # RFC 9110, 11.4: one space or more.


@dataclass(frozen=True, slots=True)
class Challenge:
    """Why a request may not step, and the value of the WWW-Authenticate field that says so (RFC 6750, 3)."""

    status: int
    detail: str
    field: str


_NO_TOKEN: Final = Challenge(
    401,
    "A step needs a token: send 'Authorization: Bearer' with one from whoever runs this service. No step was taken.",
    'Bearer realm="pexservice"',
)
_WRONG_TOKEN: Final = Challenge(
    401,
    "The token is none of those that this service takes. Ask whoever runs it for one. No step was taken.",
    'Bearer realm="pexservice", error="invalid_token"',
)
_SEVERAL: Final = Challenge(
    400,
    "The request has more than one Authorization field. Send one. No step was taken.",
    'Bearer realm="pexservice", error="invalid_request"',
)


class Access:
    """Tells whether a request may step."""

    __slots__ = ("_tokens",)

    def __init__(self, tokens: Sequence[bytes]) -> None:
        """Without any token everyone may step."""
        self._tokens = tuple(tokens)

    @property
    def needs_token(self) -> bool:
        """Whether steps need a token."""
        return bool(self._tokens)

    def challenge(self, request: Request) -> Challenge | None:
        """Return what to answer instead of taking a step, or None if the request may step.

        A request without credentials, or with those of another scheme, is told the scheme and no error.
        """
        if not self._tokens:
            return None
        values = request.raw_values(b"authorization")
        if len(values) > 1:
            return _SEVERAL
        credentials = _CREDENTIALS.fullmatch(values[0]) if values else None
        if credentials is None:
            return _NO_TOKEN
        return None if self._is_known(credentials[1] or b"") else _WRONG_TOKEN

    def _is_known(self, given: bytes) -> bool:
        import hmac  # noqa: PLC0415 - imports are start-up time.

        matches = [hmac.compare_digest(token, given) for token in self._tokens]  # All, whichever it is.
        return any(matches)
