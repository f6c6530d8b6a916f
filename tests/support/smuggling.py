"""Messages that hide a request from one of two readers, and what an honest reader makes of each.

A proxy and a server that disagree on where a message ends let an attacker put a request in front of somebody else's.
Every message here holds `GET /next` in a place where some server in history has found it. The catalogue follows RFC
9112, 11.2, and the published families: CL.TE, TE.CL, TE.TE, CL.CL, CL.0, and the line ends of chunks.
"""

from typing import Final

from support.messages import CHUNKED, HOST, LINE, NEXT, Invalid, Valid, raw

LENGTH: Final = b"Content-Length: %d\r\n"
CODING: Final = b"Transfer-Encoding: chunked\r\n"
IN_CHUNK: Final = b"%x\r\n%b\r\n0\r\n\r\n" % (len(NEXT), NEXT)
"""A chunked body that holds the request. To a reader of lengths it is a body too, or the request's line is garbled."""
BEHIND_CHUNKS: Final = b"0\r\n\r\n" + NEXT
"""A chunked body that is empty, and the request behind it. To a reader of lengths all of it is the body."""


def hidden(fields: bytes, body: bytes, *, line: bytes = LINE, status: int = 400) -> Invalid:
    """Return a message that must be refused, together with what it hides."""
    return Invalid(raw(HOST + fields, line=line, body=body), status)


def _codings() -> dict[str, Invalid]:
    """TE.TE: codings that one reader sees, and another does not."""
    obscured = {
        "unknown": b"Transfer-Encoding: xchunked\r\n",
        "quoted": b'Transfer-Encoding: "chunked"\r\n',
        "in the singular": b"Transfer-Encoding: chunk\r\n",
        "with a parameter": b"Transfer-Encoding: chunked;q=1\r\n",
        "with a comma behind": b"Transfer-Encoding: chunked,\r\n",
        "twice": CODING + CODING,
        "twice, the second unknown": CODING + b"Transfer-Encoding: x\r\n",
        "as identity": b"Transfer-Encoding: identity\r\n",
        "behind a vertical tab": b"Transfer-Encoding: \x0bchunked\r\n",
        "before a vertical tab": b"Transfer-Encoding: chunked\x0b\r\n",
        "behind obs-text": b"Transfer-Encoding: \xffchunked\r\n",
        "behind a no-break space": b"Transfer-Encoding: \xa0chunked\r\n",
        "before NUL": b"Transfer-Encoding: chunked\0\r\n",
        "with a space before the colon": b"Transfer-Encoding : chunked\r\n",
        "with a tab before the colon": b"Transfer-Encoding\t: chunked\r\n",
        "with a line before the colon": b"Transfer-Encoding\r\n: chunked\r\n",
        "with NUL in its name": b"Transfer\0-Encoding: chunked\r\n",
        "behind white space": b" Transfer-Encoding: chunked\r\n",
        "folded": b"Transfer-Encoding:\r\n chunked\r\n",
        "folded with a tab": b"Transfer-Encoding:\r\n\tchunked\r\n",
        "behind LF": b"A: b\nTransfer-Encoding: chunked\r\n",
        "behind CR": b"A: b\rTransfer-Encoding: chunked\r\n",
        "cut by CR": b"Transfer-Encoding: chun\rked\r\n",
        "behind another CR": b"A: b\r\r\nTransfer-Encoding: chunked\r\n",
    }
    alone = {f"coding {name}": hidden(fields, BEHIND_CHUNKS) for name, fields in obscured.items()}
    with_length = {
        f"coding {name}, and a length": hidden(LENGTH % len(BEHIND_CHUNKS) + fields, BEHIND_CHUNKS)
        for name, fields in obscured.items()
    }
    return alone | with_length


def _lengths() -> dict[str, Invalid]:
    """CL.CL: lengths that two readers read differently."""
    size = b"%d" % len(NEXT)
    obscured = {
        "twice": b"Content-Length: 0\r\nContent-Length: %b\r\n",
        "twice, the other first": b"Content-Length: %b\r\nContent-Length: 0\r\n",
        "in a list": b"Content-Length: 0, %b\r\n",
        "in a list, alike": b"Content-Length: %%b, %d\r\n" % len(NEXT),
        "with a sign": b"Content-Length: +%b\r\n",
        "negative": b"Content-Length: -%b\r\n",
        "in hexadecimal": b"Content-Length: 0x%b\r\n",
        "with a fraction": b"Content-Length: %b.0\r\n",
        "with an exponent": b"Content-Length: %be0\r\n",
        "with an underscore": b"Content-Length: 0_%b\r\n",
        "with a space inside": b"Content-Length: 0 %b\r\n",
        "before a vertical tab": b"Content-Length: %b\x0b\r\n",
        "before NUL": b"Content-Length: %b\0\r\n",
        "quoted": b'Content-Length: "%b"\r\n',
        "of other digits": b"Content-Length: \xd9\xa2%b\r\n",
        "with a space before the colon": b"Content-Length : %b\r\n",
        "behind white space": b" Content-Length: %b\r\n",
        "folded": b"Content-Length:\r\n %b\r\n",
        "behind LF": b"A: b\nContent-Length: %b\r\n",
        "behind CR": b"A: b\rContent-Length: %b\r\n",
    }
    return {f"length {name}": hidden(fields % size, NEXT) for name, fields in obscured.items()}


def _chunks() -> dict[str, Invalid]:
    """Chunks whose ends two readers see in different places."""
    size = b"%x" % len(NEXT)
    bodies = {
        "LF after an extension": b"2;\nxx\r\n%b\r\n%b\r\n0\r\n\r\n" % (size, NEXT),
        "LF in an extension": b"0;a\nb\r\n\r\n" + NEXT,
        "CR in an extension": b"0;a\rb\r\n\r\n" + NEXT,
        "LF in a quoted extension": b'0;a="\n"\r\n\r\n' + NEXT,
        "CR before the end of an extension": b"0;a\r\r\n\r\n" + NEXT,
        "LF after a size": b"0\n\r\n" + NEXT,
        "CR after a size": b"0\r\r\n" + NEXT,
        "LF after a chunk": b"1\r\na\n0\r\n\r\n" + NEXT,
        "CR after a chunk": b"1\r\na\r0\r\n\r\n" + NEXT,
        "nothing after a chunk": b"1\r\na0\r\n\r\n" + NEXT,
        "any two bytes after a chunk": b"1\r\naXX0\r\n\r\n" + NEXT,
        "chunk longer than its size": b"1\r\n" + NEXT + b"\r\n0\r\n\r\n",
        "size with a sign": b"+%b\r\n%b\r\n0\r\n\r\n" % (size, NEXT),
        "negative size": b"-1\r\n" + NEXT + b"\r\n0\r\n\r\n",
        "size with a prefix": b"0x%b\r\n%b\r\n0\r\n\r\n" % (size, NEXT),
        "size with an underscore": b"0_%b\r\n%b\r\n0\r\n\r\n" % (size, NEXT),
        "size beyond 64 bits": b"1000000000000000000\r\n\r\n" + NEXT * 40,
        "size that wraps to the chunk": b"100000000000000%02x\r\n%b\r\n0\r\n\r\n" % (len(NEXT), NEXT),
        "size behind a space": b" 0\r\n\r\n" + NEXT,
        "size before a space": b"0 \r\n\r\n" + NEXT,
        "size before NUL": b"0\0\r\n\r\n" + NEXT,
        "empty size": b"\r\n\r\n" + NEXT,
        "LF at the end of a trailer": b"0\r\nA: b\n\r\n" + NEXT,
        "LF for the end of trailers": b"0\r\nA: b\r\n\n" + NEXT,
        "trailer with a space before the colon": b"0\r\nA : b\r\n\r\n" + NEXT,
        "folded trailer": b"0\r\nA: b\r\n c\r\n\r\n" + NEXT,
        "trailer that tells a length": b"0\r\n%b\r\n%b" % (LENGTH % len(NEXT), NEXT),
        "trailer that tells a coding": b"0\r\n%b\r\n%b" % (CODING, IN_CHUNK),
    }
    return {name: hidden(CODING, body) for name, body in bodies.items()}


SMUGGLED: Final = {
    "CL.TE": hidden(LENGTH % len(BEHIND_CHUNKS) + CODING, BEHIND_CHUNKS),
    "TE.CL": hidden(CODING + LENGTH % 4, IN_CHUNK),
    "TE and a length of zero": hidden(LENGTH % 0 + CODING, IN_CHUNK),
    "TE in capitals, and a length": hidden(LENGTH % 4 + b"TRANSFER-ENCODING: CHUNKED\r\n", IN_CHUNK),
    "TE with a bad length": hidden(CODING + b"Content-Length: x\r\n", IN_CHUNK),
    "TE in HTTP/1.0": hidden(CODING, BEHIND_CHUNKS, line=b"POST /next HTTP/1.0"),
    "TE in HTTP/1.0 kept alive": hidden(
        b"Connection: keep-alive\r\n" + CODING, BEHIND_CHUNKS, line=b"POST /next HTTP/1.0"
    ),
    "gzip and chunked": hidden(b"Transfer-Encoding: gzip, chunked\r\n", BEHIND_CHUNKS, status=501),
    "chunked and gzip": hidden(b"Transfer-Encoding: chunked, gzip\r\n", BEHIND_CHUNKS),
    "CONNECT": hidden(b"", NEXT, line=b"CONNECT x:80 HTTP/1.1"),
    "HTTP/0.9": Invalid(b"GET /next\r\n\r\n" + NEXT),
    "a second line": Invalid(b"GET /next HTTP/1.1\r\nGET /next HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a line of CRs": Invalid(b"GET /next HTTP/1.1\r\r\nHost: x\r\n\r\n" + NEXT),
    "a head that ends with LF LF": Invalid(b"GET /next HTTP/1.1\r\nHost: x\n\n" + NEXT),
    "a head that ends with CR CR": Invalid(b"GET /next HTTP/1.1\r\nHost: x\r\r" + NEXT),
    **_codings(),
    **_lengths(),
    **_chunks(),
}

CARRIERS: Final = {
    "body of a POST": Valid(raw(HOST + LENGTH % len(NEXT), body=NEXT), body_bytes=len(NEXT)),
    "body of a GET": Valid(
        raw(HOST + LENGTH % len(NEXT), line=b"GET /next HTTP/1.1", body=NEXT), "GET", body_bytes=len(NEXT)
    ),
    "body of a HEAD": Valid(
        raw(HOST + LENGTH % len(NEXT), line=b"HEAD /current HTTP/1.1", body=NEXT),
        "HEAD",
        "/current",
        body_bytes=len(NEXT),
    ),
    "body of a 404": Valid(
        raw(HOST + LENGTH % len(NEXT), line=b"POST /nothing HTTP/1.1", body=NEXT), path="/nothing", body_bytes=len(NEXT)
    ),
    "body of a 405": Valid(
        raw(HOST + LENGTH % len(NEXT), line=b"PUT /next HTTP/1.1", body=NEXT), "PUT", body_bytes=len(NEXT)
    ),
    "body of an upgrade": Valid(
        raw(HOST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n" + LENGTH % len(NEXT), body=NEXT), body_bytes=len(NEXT)
    ),
    "body of HTTP/1.0": Valid(
        raw(HOST + LENGTH % len(NEXT), line=b"POST /next HTTP/1.0", body=NEXT), keep_alive=False, body_bytes=len(NEXT)
    ),
    "chunk": Valid(raw(CHUNKED, body=IN_CHUNK), body_bytes=None),
    "chunk that holds an end of chunks": Valid(
        raw(CHUNKED, body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(BEHIND_CHUNKS), BEHIND_CHUNKS)), body_bytes=None
    ),
    "extension": Valid(raw(CHUNKED, body=b'0;a="GET /next HTTP/1.1"\r\n\r\n'), body_bytes=None),
    "trailer": Valid(raw(CHUNKED, body=b"0\r\nA: GET /next HTTP/1.1\r\n\r\n"), body_bytes=None),
    "value": Valid(raw(HOST + b"A: GET /next HTTP/1.1\r\n"), body_bytes=0),
    "query": Valid(raw(line=b"GET /livez?GET%20/next HTTP/1.1"), "GET", "/livez"),
    "name that looks like a coding": Valid(
        raw(HOST + b"Transfer_Encoding: chunked\r\n" + LENGTH % len(BEHIND_CHUNKS), body=BEHIND_CHUNKS),
        body_bytes=len(BEHIND_CHUNKS),
    ),
}
"""Valid messages that hold a request which is none: it is never executed, and the message is taken once."""
