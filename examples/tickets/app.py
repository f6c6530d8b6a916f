"""The box office as a service: `python -m tickets serve`, and all that comes with it."""

from functools import partial
from typing import Final

from pexservice.process.application import Application
from pexservice.stores.choice import hold

from .endpoints import endpoints
from .machine import TICKETS, Command, Hall

APPLICATION: Final = Application[Hall, Command](
    name="tickets",
    version="1.0",
    machine=TICKETS,
    endpoints=endpoints,
    hold=partial(hold, TICKETS),
)
