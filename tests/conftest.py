"""Set-up of all tests."""

from hypothesis import settings

settings.register_profile("untimed", deadline=None)  # Tests measure no time: the machine may be busy.
settings.load_profile("untimed")
