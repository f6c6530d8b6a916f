"""Whether what this machine lacks may be left out."""

import os


def skips_fail() -> bool:
    """Tell whether a skip is a failure, as in CI: SKIPS_FAIL is set, and is neither empty nor 0."""
    return os.environ.get("SKIPS_FAIL", "") not in {"", "0"}
