"""RFC 9112 once more: what a stream of bytes holds, by a grammar written out as regular expressions.

The service cuts and judges with llhttp, call-backs and states. This does it in another way, from the ABNF of the RFCs,
on a stream that is there in full, and shares no code with the service but its limits. Where the two agree on millions
of streams, neither is likely to be wrong. It says three things of a message: it must be taken, it must be refused, or a
strict service may refuse it.
"""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address
from typing import Final, Literal

from pexservice.limits import DEFAULT

_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_TEXT: Final = rb"[\t\x20-\x7e\x80-\xff]*"  # RFC 9110, 5.5: no CR, LF, NUL or other control.
_FIELD: Final = rb"%b:%b\r\n" % (_TOKEN, _TEXT)
_HEAD = re.compile(rb"(%b) ([\x21-\x7e]+) HTTP/([0-9])\.([0-9])\r\n((?:%b)*)\r\n" % (_TOKEN, _FIELD))
# llhttp does not take a tab behind a coding for white space, and refuses it.
_TAB_AFTER_CODING = re.compile(rb"(?i:transfer-encoding):%b\t[ \t]*\r" % _TEXT)
_BARE_LF = re.compile(rb"(?:^|[^\r])\n")

# RFC 3986, appendix A.
_CHAR: Final = rb"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})"
_PATH: Final = rb"((?:/%b*)+)" % _CHAR
_QUERY: Final = rb"(?:\?(?:%b|[/?])*)?" % _CHAR
_ORIGIN = re.compile(_PATH + _QUERY)
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?#]+)(?:%b)?%b" % (_PATH, _QUERY))
_NAMED_HOST = re.compile(rb"(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})+(?::[0-9]*)?")
_LITERAL_HOST = re.compile(rb"\[([^\]]*)\](?::[0-9]*)?")
_FUTURE_HOST = re.compile(rb"[vV][0-9A-Fa-f]+\.[A-Za-z0-9\-._~!$&'()*+,;=:]+")

# RFC 9112, 7.1; the second form of an extension is what its grammar excludes and a reader of sizes may overlook.
_QUOTED: Final = rb'"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"'
_QUOTES = re.compile(rb'"(?:\\.|[^"\\])*(?:"|\\?$)', re.DOTALL)
_EXTENSIONS = re.compile(rb"(?:[ \t]*;[ \t]*%b(?:[ \t]*=[ \t]*(?:%b|%b))?)*" % (_TOKEN, _TOKEN, _QUOTED))
_CHUNK_START = re.compile(rb"([0-9A-Fa-f]+)((?:[ \t]*;%b)?)\r\n" % _TEXT)
_TRAILERS = re.compile(rb"((?:%b)*)\r\n" % _FIELD)

Fields = list[tuple[bytes, bytes]]


class _WrongError(Exception):
    """Raised where the stream holds what must be refused."""


class _OpenError(Exception):
    """Raised where the stream ends within a message. The service may wait, or know already that it is wrong."""


@dataclass(frozen=True)
class Said:
    """What one message says."""

    method: str
    path: str | None
    """None where a lenient reader of targets decides."""
    keep_alive: bool
    body_bytes: int | None
    fields: Fields
    may_be_refused: bool


@dataclass(frozen=True)
class Stream:
    """The messages of a stream, and how it goes on behind them: `done` is after one that closes."""

    messages: list[Said]
    ending: Literal["open", "wrong", "done"]
    begun: str = ""
    """The method of what comes behind the messages, if that is known: an error may be the answer to it."""

    @property
    def methods(self) -> list[str]:
        """Return the methods of all that may be answered."""
        return [*(said.method for said in self.messages), self.begun]


def read(data: bytes) -> Stream:
    """Return what a stream holds."""
    messages: list[Said] = []
    at = 0
    try:
        while not messages or messages[-1].keep_alive:
            said, at = _message(data, at)
            messages.append(said)
    except _WrongError:
        return Stream(messages, "wrong", _begun(data[at:]))
    except _OpenError:
        return Stream(messages, "open", _begun(data[at:]))
    return Stream(messages, "done")


def _begun(rest: bytes) -> str:
    while rest.startswith(b"\r\n"):
        rest = rest[2:]
    begun = re.match(rb"(%b) " % _TOKEN, rest)
    return begun[1].decode() if begun else ""


def _message(data: bytes, at: int) -> tuple[Said, int]:
    while data.startswith(b"\r\n", at):  # RFC 9112, 2.2.
        at += 2
    end = data.find(b"\r\n\r\n", at) + 4
    if end < 4:
        raise _check_open(data[at:])
    if end - at > DEFAULT.request_line_bytes_max + DEFAULT.header_bytes_max + 4:
        raise _WrongError
    head = _HEAD.fullmatch(data, at, end)
    if head is None or head.end(4) - at > DEFAULT.request_line_bytes_max or len(head[5]) > DEFAULT.header_bytes_max:
        raise _WrongError
    fields = _fields(head[5])
    if len(fields) > DEFAULT.header_fields_max or head[3] != b"1" or head[4] > b"1":
        raise _WrongError
    is_http_10 = head[4] == b"0"
    doubts = [_doubt_host(_values(fields, b"host"), is_http_10=is_http_10)]
    path, doubt = _path(head[1], head[2])
    body_bytes, doubtful_framing = _framing(fields, is_http_10=is_http_10)
    expects = {member.lower() for member in _members(_values(fields, b"expect")) if member}
    doubts += [
        doubt,
        doubtful_framing,
        bool(_TAB_AFTER_CODING.search(head[5])),
        not is_http_10 and bool(expects - {b"100-continue"}),
    ]
    options = [option.lower() for option in _members(_values(fields, b"connection"))]
    keep_alive = b"close" not in options and (not is_http_10 or b"keep-alive" in options)
    if body_bytes is None:
        end, doubt = _chunked(data, end)
        doubts.append(doubt)
    elif end + body_bytes > len(data):
        raise _OpenError
    else:
        end += body_bytes
    return Said(head[1].decode(), path, keep_alive, body_bytes, fields, any(doubts)), end


def _check_open(rest: bytes) -> Exception:
    """Return what a head without its end is. Only what no reader may wait for is wrong: a bare LF, or too much."""
    line_end = rest.find(b"\r\n")
    if line_end < 0:
        is_long = len(rest) > DEFAULT.request_line_bytes_max + 1
    else:
        is_long = line_end > DEFAULT.request_line_bytes_max or len(rest) - line_end - 2 > DEFAULT.header_bytes_max + 1
    return _WrongError() if is_long or _BARE_LF.search(rest) else _OpenError()


def _fields(section: bytes) -> Fields:
    """Return names in lower case, and values without the white space around them."""
    lines = [line.partition(b":") for line in section.split(b"\r\n")[:-1]]
    return [(name.lower(), value.strip(b" \t")) for name, _, value in lines]


def _values(fields: Fields, name: bytes) -> list[bytes]:
    return [value for each, value in fields if each == name]


def _members(values: list[bytes]) -> list[bytes]:
    """Return the members of a list, RFC 9110, 5.6.1, the empty ones too. No comma in quotes divides."""
    members = []
    for value in values:
        shielded = _QUOTES.sub(lambda quotes: quotes[0].replace(b",", b"\0"), value)  # No value holds a NUL.
        members += [member.replace(b"\0", b",").strip(b" \t") for member in shielded.split(b",")]
    return members


def _doubt_host(hosts: list[bytes], *, is_http_10: bool) -> bool:
    """RFC 9112, 3.2, and 3986, 3.2.2."""
    if not hosts and is_http_10:
        return False
    if len(hosts) != 1:
        raise _WrongError
    return _doubt_authority(hosts[0])


def _doubt_authority(authority: bytes) -> bool:
    if _NAMED_HOST.fullmatch(authority):
        return False
    literal = _LITERAL_HOST.fullmatch(authority)
    if literal is None or b"%" in literal[1]:
        raise _WrongError
    if _FUTURE_HOST.fullmatch(literal[1]):
        return True
    try:
        IPv6Address(literal[1].decode("latin-1"))
    except AddressValueError as error:
        raise _WrongError from error
    return False


def _path(method: bytes, target: bytes) -> tuple[str | None, bool]:
    """RFC 9112, 3.2. A target of visible characters that no URI has may be taken for a path that is not there."""
    if b"#" in target:
        raise _WrongError
    if target == b"*" and method == b"OPTIONS":
        return "*", False
    if origin := _ORIGIN.fullmatch(target):
        return origin[1].decode(), False
    if absolute := _ABSOLUTE.fullmatch(target):
        return (absolute[2] or b"/").decode(), _doubt_authority(absolute[1])
    if not re.match(rb"/|(?i:https?)://[^/?]", target):
        raise _WrongError
    return None, True


def _framing(fields: Fields, *, is_http_10: bool) -> tuple[int | None, bool]:
    """RFC 9112, 6.1 to 6.3: the size of the body, None if chunked; whatever can be read in two ways is wrong."""
    codings, lengths = _values(fields, b"transfer-encoding"), _values(fields, b"content-length")
    if codings:
        members = _members(codings)
        if lengths or is_http_10 or [member.lower() for member in members if member] != [b"chunked"]:
            raise _WrongError
        return None, len(members) > 1
    if not lengths:
        return 0, False
    if len(lengths) > 1 or not re.fullmatch(rb"[0-9]+", lengths[0]) or int(lengths[0]) > DEFAULT.body_bytes_max:
        raise _WrongError
    return int(lengths[0]), len(lengths[0]) > len("9999999999999999999")


def _chunked(data: bytes, begin: int) -> tuple[int, bool]:
    """Return where a chunked body ends, and whether it may be refused."""
    at, body_bytes, is_doubtful = begin, 0, False
    while True:
        start = _CHUNK_START.match(data, at)
        if start is None:
            raise _check_open_chunks(data[begin:], is_over=b"\n" in data[at:])
        is_doubtful |= not _EXTENSIONS.fullmatch(start[2])
        size = int(start[1], 16)
        at = start.end()
        if size == 0:
            break
        body_bytes += size
        at += size + 2
        if at > len(data):
            raise _check_open_chunks(data[begin:])
        if data[at - 2 : at] != b"\r\n":
            raise _WrongError
    trailers = _TRAILERS.match(data, at)
    if trailers is None:
        is_over = b"\r\n\r\n" in data[at - 2 :] or _BARE_LF.search(data, at)
        raise _check_open_chunks(data[begin:], is_over=bool(is_over))
    if body_bytes > DEFAULT.body_bytes_max or trailers.end() - begin > DEFAULT.chunked_bytes_max:
        raise _WrongError
    framing = {name for name, _ in _fields(trailers[1])} & {b"transfer-encoding", b"content-length"}
    return trailers.end(), is_doubtful or bool(framing)


def _check_open_chunks(rest: bytes, *, is_over: bool = False) -> Exception:
    """Return what a chunked body without its end is: wrong, if no more bytes can make it right."""
    return _WrongError() if is_over or len(rest) > DEFAULT.chunked_bytes_max else _OpenError()
