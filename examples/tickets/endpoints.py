"""What the box office answers: `POST /buy?holder=ann&seats=2`, `POST /return?…`, `GET /hall`."""

import json
import re
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import parse_qsl

from pexservice.errors import BadRequest
from pexservice.http.description import described
from pexservice.http.endpoint import Endpoint
from pexservice.http.forms import Forms
from pexservice.http.request import Request
from pexservice.http.resource import Resource, Site

from .machine import NAME, SEATS, Buy, Command, Hall, Return, left

_INFO: Final = {"title": "tickets", "version": "1.0", "summary": "Sells each of 20 seats once."}
_NUMBER: Final = re.compile(r"[1-9][0-9]?", re.ASCII)
_PARAMETERS: Final = (
    {"name": "holder", "in": "query", "required": True, "schema": {"type": "string", "pattern": f"^{NAME.pattern}$"}},
    {"name": "seats", "in": "query", "required": True, "schema": {"type": "integer", "minimum": 1, "maximum": SEATS}},
)
_PROBLEMS: Final = {400: "The holder or the seats are missing or wrong", 409: "Refused: no seat moved"}


def _document(sequence: int, hall: Hall) -> str:
    return json.dumps({"sequence": sequence, "left": left(hall), "held": dict(hall)}) + "\n"


_FORMS: Final = Forms[Hall](
    fields=lambda sequence, hall: f"Pex-Sequence: {sequence}\r\nSeats-Left: {left(hall)}\r\n",
    bodies={"application/json": _document},
    headers={"Seats-Left": {"schema": {"type": "integer", "minimum": 0, "maximum": SEATS}}},
    schemas={"application/json": {"type": "object", "required": ["sequence", "left", "held"]}},
)


def _reader(make: type[Buy] | type[Return]) -> Callable[[Request], Command]:
    def read(request: Request) -> Command:
        given = dict(parse_qsl(request.query))
        holder, seats = given.get("holder", ""), given.get("seats", "")
        if not NAME.fullmatch(holder):
            raise BadRequest(400, f"Say who with ?holder=NAME, which matches {NAME.pattern}.")
        if not _NUMBER.fullmatch(seats) or int(seats) > SEATS:
            raise BadRequest(400, f"Say how many with &seats=N, from 1 to {SEATS}.")
        return make(holder, int(seats))

    return read


def endpoints(site: Site[Hall, Command], probes: Sequence[Endpoint]) -> list[Endpoint]:
    """Return the table of endpoints, with `probes` where they share the listener."""
    box_office = Resource(site, _FORMS)
    table = [
        box_office.state("/hall", "how many seats are left, and who holds the others"),
        box_office.command("/buy", "takes seats", _reader(Buy), parameters=_PARAMETERS, problems=_PROBLEMS),
        box_office.command("/return", "gives seats back", _reader(Return), parameters=_PARAMETERS, problems=_PROBLEMS),
        box_office.events("/events", "the hall, whenever that changes", _document),
        *probes,
    ]
    return described(box_office, _INFO, table)
