"""The page at / for browsers: where the walk stands, live, and the steps as buttons.

One answer holds all of it, so there is nothing to cache, to version or to fetch: text, style, script and icon, which
stand beside each other in `page/` as they were written. The policy names style and script by their hashes, so nothing
else runs. What changes is put in when somebody asks, and from then on the script is told by `/events`; without it the
buttons post, and the answer sends the browser back here (`Resource.command`).
"""

import re
from base64 import b64encode
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import cached_property
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Final
from urllib.parse import quote

from pexservice import __version__
from pexservice.core.engine import Engine
from pexservice.core.judging import Place
from pexservice.walk.outline import Outline
from pexservice.walk.steps import Step

Listed = tuple[str, str, str]
"""Of the table of what there is: methods, path, and what it does."""

_FOLDER: Final = Path(__file__).parent / "page"
_SLOT: Final = re.compile(r"\{(\w+)\}")
_SHOWN_WHOLE: Final = 300
"""Numbers of more digits are shown by their ends: more than that nobody reads. The script has the same."""
_ENDS: Final = 96
_SIZES: Final = (12, 36, 120)
"""A number is written in one of four sizes, the smallest beyond the last of these many digits."""
_NOTE: Final = """
  <div class="note"><p>A step needs a token, which a button alone does not send: enter it below, or take a client that
    sends <code>Authorization: Bearer</code>. Without script there is only the latter.</p>
    <form id="access"><label>Token <input id="token" type="password" autocomplete="off"></label></form></div>"""
_DURABILITY: Final = {
    "fsync": "On stable storage <span>before it is answered</span>",
    "interval": "Synced at intervals <span>a power loss may cost the last one</span>",
    "postgresql": "On a PostgreSQL server <span>before it is answered</span>",
}


class Home:
    """Makes the page, which lists what there is."""

    def __init__(
        self, engine: Engine[int, Step], serving: Callable[[], int], listed: Sequence[Listed], *, needs_token: bool
    ) -> None:
        """Show the state of an engine, and `listed`; `serving` is as of `Site`."""
        self._engine = engine
        self._serving = serving
        self._listed = listed
        self._needs_token = needs_token

    def page(self, place: Place[int]) -> str:
        """Return the page as of a place."""
        outline = Outline.of(place.state)
        unready = self._engine.unready
        durability = self._engine.labels.get("durability", "")
        processes = self._serving()
        now = {
            "position": str(place.state),
            "sequence": str(place.sequence),
            "digits": str(outline.digits),
            "grouped_position": f"{place.state:,}",
            "grouped_sequence": f"{place.sequence:,}",
            "grouped_digits": f"{outline.digits:,} digit{'s' * (outline.digits > 1)}",
            "value": _shown(outline),
            "size": str(bisect_left(_SIZES, outline.digits)),
            "link": "" if unready is None else "ill",
            "health": "Takes steps" if unready is None else f"Takes no steps: {escape(unready.title)}",
            "processes": "1 process serves" if processes == 1 else f"{processes} processes serve",
            "durability": _DURABILITY.get(durability, escape(durability)),
        }
        return "".join(now[piece] if index % 2 else piece for index, piece in enumerate(self._pieces))

    @cached_property
    def policy(self) -> str:
        """The value of Content-Security-Policy: it shows itself, asks its own origin, and nobody may frame it."""
        return (
            "default-src 'none'; "
            f"script-src '{_digest(_read('home.js'))}'; style-src '{_digest(_read('home.css'))}'; img-src data:; "
            "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
            "require-trusted-types-for 'script'; trusted-types 'none'"
        )

    @cached_property
    def _pieces(self) -> list[str]:
        """The page in pieces: every other one is the name of what changes."""
        fixed = {
            "version": __version__,
            "icon": "data:image/svg+xml," + quote(_read("icon.svg").strip(), safe=" ='/:"),
            "css": _read("home.css"),
            "js": _read("home.js"),
            "disabled": " disabled" * self._needs_token,
            "note": _NOTE * self._needs_token,
            "endpoints": "\n".join(map(_row, self._listed)),
        }
        pieces = [""]
        for index, piece in enumerate(_SLOT.split(_read("home.html"))):
            if index % 2 and piece not in fixed:
                pieces += [piece, ""]
            else:
                pieces[-1] += fixed[piece] if index % 2 else piece
        return pieces


def _read(name: str) -> str:
    return (_FOLDER / name).read_text("ascii")


def _digest(text: str) -> str:
    return "sha256-" + b64encode(sha256(text.encode("ascii")).digest()).decode("ascii")


def _shown(outline: Outline) -> str:
    """Write a number, or its ends and how many digits are between."""
    if outline.digits <= _SHOWN_WHOLE:
        return outline.head
    head, tail = outline.head[: _ENDS + outline.digits % 3], (outline.tail or outline.head)[-_ENDS:]
    return f"{head} <em>&hellip; {outline.digits - len(head) - len(tail):,} more digits &hellip;</em> {tail}"


def _row(row: Listed) -> str:
    methods, path, does = row
    code = f"<code>{path}</code>"
    link = f'<a href="{path[1:]}">{code}</a>' if methods == "GET" else code
    return f'        <tr><th scope="row">{link}</th><td>{methods}</td><td>{does}</td></tr>'
