"""The table of what the walk answers. The home page, `Allow` and /openapi.json are made from it."""

from collections.abc import Sequence

from pexservice.http.endpoint import Endpoint
from pexservice.http.resource import Resource, Site
from pexservice.walk.fibonacci import Walker
from pexservice.walk.forms import event, forms
from pexservice.walk.pages import Pages
from pexservice.walk.steps import NEXT, PREVIOUS, RESET, Step


def endpoints(site: Site[int, Step], probes: Sequence[Endpoint]) -> list[Endpoint]:
    """Return the endpoints of the walk, and with them those of `probes` that share its listener."""
    ahead = Walker()
    """Follows the steps that are on their way to the disk; a read is about the place before them."""
    steps = Resource(site, forms(ahead), page="./")
    reads = Resource(site, forms(Walker(beside=ahead)))
    # Steps by GET are for the clients of the original and for ab, and for no other machine.
    table = [
        reads.state("/current", "the value here"),
        steps.command("/next", "one step up, and the value there", lambda _: NEXT, by_get_too=True),
        steps.command("/previous", "one step down, and the value there", lambda _: PREVIOUS, by_get_too=True),
        steps.command("/reset", "back to position 0", lambda _: RESET, by_get_too=True),
        reads.events("/events", "where the walk stands, whenever that changes", event),
        *probes,
    ]
    return Pages(reads, table).endpoints()
