"""The walk as a service: its machine, its endpoints, and what keeps it.

To build your own, copy examples/tickets: docs/build-your-own.md explains what each part is for.
"""

from functools import partial
from typing import Final

from pexservice import __version__
from pexservice.process.application import Application
from pexservice.stores.choice import hold
from pexservice.walk import original
from pexservice.walk.endpoints import endpoints
from pexservice.walk.machine import WALK
from pexservice.walk.steps import Step

APPLICATION: Final = Application[int, Step](
    name="pexservice",
    version=__version__,
    machine=WALK,
    endpoints=endpoints,
    hold=partial(hold, WALK, adopt=original.adopt, pass_over=original.pass_over),
)
