"""`make recording`: what the demo draws in a terminal, recorded as one SVG of text that moves.

A pseudo-terminal takes the pictures; those kept become a group each, which the style sheet shows for its time. Blocks
are drawn as one path, since fonts leave gaps between them. Who wants no motion, or whose program knows none, sees the
last picture alone.
"""

import os
import pty
import re
import subprocess
import sys
import time
from contextlib import suppress
from html import escape
from pathlib import Path
from typing import Final

_TARGET: Final = Path(__file__).parents[1] / "docs" / "demo.svg"
_COLUMNS: Final = 76
_ROWS: Final = 24
_CELL: Final = 8.4
_LINE: Final = 18
_MARGIN: Final = 16
_FRAME_S: Final = 0.4
"""For which a picture is shown: four times as fast as it was."""
_LAST_S: Final = 6.0
_KEPT_S: Final = 1.6
"""Between two pictures."""
_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_PICTURE: Final = re.compile(r"\x1b\[\d+A\r")
_SGR: Final = re.compile(r"\x1b\[([0-9;]*)m")
_OTHER: Final = re.compile(r"\x1b\[[0-9;]*[A-LN-Za-ln-z]|\r")
_CLASSES: Final = {"1": "b", "1;4": "b", "2": "d", "31": "r", "36": "c", "1;32": "g"}
_STYLE: Final = """
text { font: 14px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: #d0d7de; white-space: pre }
.b { font-weight: bold; fill: #fff } .d { fill: #8b949e } .r { fill: #ff7b72 } .c { fill: #56d4dd } .g { fill: #7ee787 }
path { stroke: #56d4dd; stroke-width: 0.88 } .f { visibility: hidden }
"""


def main() -> None:
    """Record it."""
    pictures = frames(_recorded([sys.executable, "-m", "pexservice", "demo"]))
    _TARGET.write_text(document(pictures), "utf-8")
    sys.stdout.write(f"{_TARGET}: {len(pictures)} pictures, {_TARGET.stat().st_size // 1024} KiB\n")


def _recorded(command: list[str]) -> list[tuple[float, str]]:
    """Run a command at a terminal and return what it wrote, with the seconds since it began. Raises RuntimeError."""
    ours, theirs = pty.openpty()
    variables = {"TERM": "xterm-256color", "COLUMNS": str(_COLUMNS), "LINES": str(_ROWS), "NO_COLOR": ""}
    began_s = time.monotonic()
    process = subprocess.Popen(command, env=os.environ | variables, stdin=theirs, stdout=theirs, stderr=theirs)  # noqa: S603
    os.close(theirs)
    pieces = []
    with os.fdopen(ours, "rb", buffering=0) as terminal, suppress(OSError):  # It ends with EIO.
        while piece := terminal.read(65_536):
            pieces.append((time.monotonic() - began_s, piece.decode("utf-8", "replace")))
    if process.wait():
        raise RuntimeError(f"the demo ended with status {process.returncode}: {pieces[-1:]}")
    return pieces


def frames(pieces: list[tuple[float, str]]) -> list[list[str]]:
    """Return a picture each `_KEPT_S`, as lines, and the last of all, with what was written below it."""
    kept: list[list[str]] = []
    next_s = 0.0
    text = ""
    for at_s, piece in pieces:
        *whole, text = _PICTURE.split(text + piece)
        if whole and at_s >= next_s:
            kept.append(_lines(whole[-1]))
            next_s = at_s + _KEPT_S
    return [*kept, _lines(text)]


def _lines(picture: str) -> list[str]:
    return _OTHER.sub("", picture).rstrip("\n").split("\n")


def document(pictures: list[list[str]]) -> str:
    """Return pictures as one SVG, in which they follow one another."""
    rows = max(map(len, pictures))
    width, height = _COLUMNS * _CELL + 2 * _MARGIN, rows * _LINE + 2 * _MARGIN
    total_s = (len(pictures) - 1) * _FRAME_S + _LAST_S
    style = _STYLE + (
        f"@keyframes one {{ 0% {{ visibility: visible }} {_FRAME_S / total_s:.4%}, to {{ visibility: hidden }} }}\n"
        f"@keyframes last {{ 0% {{ visibility: hidden }} {1 - _LAST_S / total_s:.4%}, to {{ visibility: visible }} }}\n"
        "@media (prefers-reduced-motion: no-preference) {\n"
        f"  .f {{ animation: one {total_s:g}s step-end infinite }}\n"
        f"  .l {{ animation: last {total_s:g}s step-end infinite }}\n}}\n"
    )
    size = f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        "<title>pexservice demo: killed 20 times under load; " + escape(_plain(pictures[-1])) + "</title>",
        f"<style>{style}</style>",
        f'<rect width="{width:g}" height="{height:g}" rx="8" fill="#0d1117"/>',
    ]
    for index, frame in enumerate(pictures):
        is_last = index == len(pictures) - 1
        kind = 'class="l"' if is_last else f'class="f" style="animation-delay: {index * _FRAME_S:g}s"'
        parts.append(f"<g {kind}>")
        parts += [part for row, line in enumerate(frame) for part in _drawn(line, _MARGIN + row * _LINE)]
        parts += [_bars(frame), "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def _plain(frame: list[str]) -> str:
    return next((_SGR.sub("", line) for line in frame if "answered, " in line), "")


def _drawn(line: str, top: int) -> list[str]:
    """Return a line as texts of one colour each, and shapes for its blocks."""
    parts, column, kind = [], 0, ""
    for piece in re.split(r"(\x1b\[[0-9;]*m)", line):
        sgr = _SGR.fullmatch(piece)
        if sgr is not None:
            kind = _CLASSES.get(sgr[1], "")
            continue
        mark = f' class="{kind}"' if kind else ""
        for run in re.finditer(rf"[^ {_BLOCKS}](?:[^{_BLOCKS}]*[^ {_BLOCKS}])?", piece):
            x = _MARGIN + (column + run.start()) * _CELL
            length = len(run[0]) * _CELL
            text = escape(run[0], quote=False)
            parts.append(f'<text{mark} x="{x:.0f}" y="{top + 14}" textLength="{length:.0f}">{text}</text>')
        column += len(piece)
    return parts


def _bars(frame: list[str]) -> str:
    """Return the blocks of a picture as one path, a stroke for each column, in cells."""
    heights: dict[int, tuple[int, float]] = {}
    for row in range(len(frame) - 1, -1, -1):
        for column, character in enumerate(_SGR.sub("", frame[row])):
            level = (_BLOCKS.find(character) + 1) / len(_BLOCKS)
            if level:
                base, height = heights.get(column, (row + 1, 0.0))
                heights[column] = (base, height + level)
    path = "".join(f"M{column} {base}v-{height:.3g}" for column, (base, height) in sorted(heights.items()))
    return f'<path transform="translate({_MARGIN + _CELL / 2} {_MARGIN}) scale({_CELL} {_LINE})" d="{path}"/>'


if __name__ == "__main__":
    main()
