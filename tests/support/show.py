"""What a test saw, for people: the fixture `show` of `conftest.py`."""

from collections.abc import Callable

Show = Callable[[str], None]
"""Has one sentence printed beside the test's name when all is over."""
