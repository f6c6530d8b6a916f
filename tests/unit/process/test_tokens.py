"""The file of tokens: what it may hold, and that nothing of it is shown."""

from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from pexservice.errors import BadTokenFile
from pexservice.limits import DEFAULT
from pexservice.process.tokens import parse, read

B64TOKEN: Final = st.from_regex(r"[A-Za-z0-9\-._~+/]{22,60}={0,2}", fullmatch=True)


@given(
    tokens=st.lists(B64TOKEN, min_size=1, max_size=4),
    end=st.sampled_from(["\n", "\r\n", " \n\n"]),
)
def test_each_line_of_a_file_is_a_token(tokens: list[str], end: str) -> None:
    """However lines end, and in the order of the file."""
    assert parse("".join(token + end for token in tokens).encode(), "file", DEFAULT) == tuple(
        token.encode() for token in tokens
    )


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b" \r\n\n", "is empty"),
        (b"secret", "could be guessed: it has 6 characters"),
        (b"a" * 22 + b"\nse cret" + b"a" * 22, "line 2 of the token file name is no token"),
        (b"secret=" + b"a" * 22, "line 1 of the token file name is no token"),
        (b"secret\n" * 1000, "is over 4096 bytes"),
    ],
)
def test_what_is_no_token_is_told_and_not_shown(data: bytes, says: str) -> None:
    """The error names the file and the line, and nothing that is in it."""
    with pytest.raises(BadTokenFile) as told:
        parse(data, "name", DEFAULT)
    assert says in str(told.value)
    assert "name" in str(told.value)
    assert "secret" not in str(told.value)


def test_a_file_that_every_user_may_read_is_told_of(tmp_path: Path) -> None:
    """It is taken all the same: a container's secret may be mounted so."""
    path = tmp_path / "tokens"
    path.write_text("a" * 22)
    for mode, lines in ((0o600, 0), (0o644, 1)):
        path.chmod(mode)
        with capture_logs() as logs:
            assert read(path, DEFAULT) == (b"a" * 22,)
        assert len(logs) == lines
