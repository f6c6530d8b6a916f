"""The forms of a position: the value there, exactly."""

from typing import Final

from pexservice.http.forms import Forms
from pexservice.walk.fibonacci import Walker
from pexservice.walk.outline import Outline

_DOCUMENT: Final = "application/vnd.pexservice+json"
_BARE: Final = (
    "The bare number, exact at any size. JavaScript rounds it beyond 2^53, and Python's json refuses more than 4,300 "
    f"digits; {_DOCUMENT} has it as a string."
)
_SCHEMA: Final = {
    "type": "object",
    "required": ["sequence", "position", "digits", "value"],
    "additionalProperties": False,
    "properties": {
        "sequence": {"type": "integer", "minimum": 0},
        "position": {"type": "integer", "minimum": 0},
        "digits": {"type": "integer", "minimum": 1},
        "value": {"type": "string", "pattern": "^(0|[1-9][0-9]*)$"},
    },
}


def forms(walker: Walker) -> Forms[int]:
    """Return the forms, whose digits a walker computes, from where it stands."""

    def number(_sequence: int, position: int) -> str:
        """Write the original's wire format: the bare number and a newline."""
        return walker.digits(position) + "\n"

    def document(sequence: int, position: int) -> str:
        """Write all about the value. It is a string: JavaScript loses integers past 2^53."""
        digits = walker.digits(position)
        return f'{{"sequence":{sequence},"position":{position},"digits":{len(digits)},"value":"{digits}"}}'

    def fields(sequence: int, position: int) -> str:
        return f"Pex-Sequence: {sequence}\r\nPex-Position: {position}\r\n"

    return Forms(
        fields,
        {"application/json": number, "text/plain": number, _DOCUMENT: document},
        headers={
            "Pex-Position": {
                "description": "Where the walk stands.",
                "required": True,
                "schema": {"type": "integer", "minimum": 0},
            }
        },
        schemas={
            "application/json": {"type": "integer", "minimum": 0, "description": _BARE},
            "text/plain": {"type": "string", "pattern": "^[0-9]+\\n$"},
            _DOCUMENT: _SCHEMA,
        },
    )


def event(sequence: int, position: int) -> str:
    """Write the document as `/events` tells it: of a value of more than 1,000 digits, the ends and what is between.

    It then is no number for whoever takes it for one. At any position it takes a fraction of a millisecond.
    """
    digits, head, tail = Outline.of(position)
    value = f"{head}\\u2026{tail}" if tail else head
    return f'{{"sequence":{sequence},"position":{position},"digits":{digits},"value":"{value}"}}'
