"""What a journal tells of itself."""

from pexservice.core.keys import Terms
from pexservice.walk.steps import NEXT
from support.journals import CALM, disk, opened, play


def test_keys_are_counted() -> None:
    """Those that are durable, beside how many may be known."""

    async def scenario() -> None:
        journal = await opened(disk(), CALM)
        await journal.commit([NEXT, NEXT], {0: Terms(b"%022d" % 1)})
        measures = {measure.name: measure.value for measure in journal.status().measures}
        assert (measures["pex_keys"], measures["pex_keys_max"]) == (1, 65_536)

    play(scenario)
