"""The forms of a position: the value there, exactly."""

from typing import Final

from pexservice.http.forms import Forms
from pexservice.walk.fibonacci import Walker

_DOCUMENT: Final = "application/vnd.pexservice+json"
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
            "application/json": {"type": "integer", "minimum": 0},
            "text/plain": {"type": "string", "pattern": "^[0-9]+\\n$"},
            _DOCUMENT: _SCHEMA,
        },
    )
