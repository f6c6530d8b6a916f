"""A picture in the terminal that is drawn anew, or plain lines where nothing can be drawn over.

The terminal may be narrow, short, without colours or not know our characters; it may change its size at any time. So a
picture is asked for again each time, for the room that there is, and every line is cut to it.
"""

import os
import re
import shutil
import textwrap
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TextIO

_PERIOD_S: Final = 0.1
"""Between two pictures: as often as an eye follows."""
_WIDTH_MAX: Final = 100
_BLOCKS: Final = " ▁▂▃▄▅▆▇█"
_ASCII: Final = " .:-=+*%#"
_SGR: Final = re.compile(r"\x1b\[[0-9;]*m")
"""What colours a text, and takes no room."""
_RESET: Final = "\x1b[0m"


@dataclass(frozen=True, slots=True)
class Paper:
    """What a picture is drawn on: how much room there is, and with what."""

    width: int
    height: int
    is_coloured: bool = False
    ramp: str = _BLOCKS
    """Nine characters, from nothing to a full cell."""

    def paint(self, text: str, code: str) -> str:
        """Return a text in a colour, if there are colours: `code` is the parameter of SGR, ECMA-48, 8.3.117."""
        return f"\x1b[{code}m{text}{_RESET}" if self.is_coloured and text else text

    def cut(self, line: str) -> str:
        """Return a line, as long as there is room for; what colours it takes none."""
        shown, room, at = [], self.width, 0
        while at < len(line):
            if line[at] == "\x1b":
                end = line.index("m", at) + 1
                shown.append(line[at:end])
                at = end
            else:
                if room > 0:
                    shown.append(line[at])
                room -= 1
                at += 1
        return "".join(shown).rstrip()


class Screen:
    """Where pictures are drawn one over the other (`is_live`), or where only lines are written."""

    def __init__(self, stream: TextIO, *, is_live: bool) -> None:
        self.is_live = is_live
        self._stream = stream
        self._above = 0
        self._next_s = 0.0

    @property
    def paper(self) -> Paper:
        """The room as it is now."""
        columns, rows = shutil.get_terminal_size()
        colours = self.is_live and not os.environ.get("NO_COLOR")
        try:
            _BLOCKS.encode(self._stream.encoding or "ascii")
            ramp = _BLOCKS
        except (UnicodeError, LookupError):
            ramp = _ASCII
        return Paper(max(min(columns - 1, _WIDTH_MAX), 20), max(rows - 1, 5), colours, ramp)

    def draw(self, picture: Callable[[Paper], Sequence[str]], *, now: bool = False) -> None:
        """Draw over the last picture, unless that is too young; does nothing where only lines are written."""
        if not self.is_live or (time.monotonic() < self._next_s and not now):
            return
        self._next_s = time.monotonic() + _PERIOD_S
        paper = self.paper
        lines = [paper.cut(line) for line in picture(paper)][: paper.height]
        above = f"\x1b[{self._above}A\r" if self._above else ""
        self._stream.write(above + "".join(f"{line}\x1b[K\n" for line in lines) + "\x1b[J")
        self._stream.flush()
        self._above = len(lines)

    def say(self, line: str) -> None:
        """Write a line below the picture, which stays; at a terminal, in as many lines as it takes."""
        is_long = self.is_live and len(_SGR.sub("", line)) > self.paper.width
        lines = textwrap.wrap(line, self.paper.width) if is_long else [line.rstrip()]
        self._stream.write("\n".join(lines) + "\n")
        self._stream.flush()
        self._above = 0

    def tell(self, line: str) -> None:
        """Write a line where there is no picture that shows it."""
        if not self.is_live:
            self.say(line)
