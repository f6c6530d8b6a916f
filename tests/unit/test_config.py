"""How an operator writes durations, sizes and addresses."""

import pytest

from pexservice.config import parse_address, parse_duration_s, parse_size_bytes, parse_store


@pytest.mark.parametrize(("text", "seconds"), [("75s", 75), ("500ms", 0.5), ("1.5m", 90), ("2h", 7200), ("3", 3)])
def test_durations_have_units(text: str, seconds: float) -> None:
    """A bare number is seconds."""
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"), [("1GiB", 2**30), ("512M", 2**29), ("64KiB", 2**16), ("1GB", 10**9), ("0", 0), ("7 B", 7)]
)
def test_sizes_have_units(text: str, size: int) -> None:
    """Binary units are powers of 1024, GB and its like of 1000."""
    assert parse_size_bytes(text) == size


@pytest.mark.parametrize("text", ["8785h", "9" * 30 + "h", "9" * 400])
def test_a_duration_is_no_longer_than_a_year(text: str) -> None:
    """No clock counts it otherwise."""
    with pytest.raises(ValueError, match="is longer than a year"):
        parse_duration_s(text)


@pytest.mark.parametrize(("text", "says"), [("9" * 20, "more than any disk"), ("9" * 5000, "is not a size")])
def test_a_size_is_one_that_a_disk_may_have(text: str, says: str) -> None:
    """However many digits it has."""
    with pytest.raises(ValueError, match=says):
        parse_size_bytes(text)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9100", ("127.0.0.1", 9100)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:65535", ("::1", 65535)),
        ("[fe80::1%eth0]:1", ("fe80::1%eth0", 1)),
    ],
)
def test_an_address_has_a_host_and_a_port(text: str, address: tuple[str, int]) -> None:
    """Of IPv6 in brackets, as in a URL."""
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text", ["", "9100", ":9100", "x:", "::1:9100", "[::1]", "[]:1", "x:65536", "x:-1", "a b:1", "x:1_0"]
)
def test_half_an_address_is_none(text: str) -> None:
    """Host and port must both be said: who means every interface writes 0.0.0.0."""
    with pytest.raises(ValueError, match="is not an address"):
        parse_address(text)


@pytest.mark.parametrize("text", ["", "s", "-1", "1e3", "1 0s", "1d", "\u0661s", "1.s", "nan"])
def test_what_is_no_duration_is_told_what_is(text: str) -> None:
    """The message shows how to write one."""
    with pytest.raises(ValueError, match="is not a duration; write 500ms"):
        parse_duration_s(text)


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://u:p/q@h/d",
        "postgresql://u:p?q@h/d",
        "postgresql://u:p@q@h/d",
        "postgresql://u@h/d@e",
        "postgresql://h/d?password=p@q",
    ],
)
def test_a_sign_that_ends_a_name_is_written_in_percent(text: str) -> None:
    """Else half of a password would be taken for a host, and be shown."""
    with pytest.raises(ValueError, match=r"written in percent: @ as %40") as told:
        parse_store(text)
    assert text not in str(told.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://u:p:q@h:1,[::1]:2/d?sslmode=require", "postgresql://u:...@h:1,[::1]:2/d?sslmode=require"),
        ("postgresql://u:p%40%2F@h", "postgresql://u:...@h"),
        ("postgresql://u@h/d?password=p&user=y", "postgresql://u@h/d?password=...&user=y"),
        ("postgresql:///d?host=/run/postgresql", "postgresql:///d?host=/run/postgresql"),
        ("postgresql://h?user=u", "postgresql://h?user=u"),
    ],
)
def test_what_is_shown_of_a_store_has_no_password(text: str, shown: str) -> None:
    """Wherever one may stand in a URL."""
    assert str(parse_store(text)) == shown


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("postgresql://h/d?connect_timeout=3", "parameter connect_timeout is not taken"),
        ("postgresql://h/d?sslmode=require&channel_binding=require", "parameter channel_binding is not taken"),
        ("postgresql:///d?service=nix", "parameter service is not taken"),
        ("postgresql://h?keepalives=1", "parameter keepalives is not taken"),
        ("postgresql:///d?host=a,b", "several hosts"),
        ("postgresql:///d?host=a%2Cb", "several hosts"),
        ("postgresql:///d?host=a&port=1,2", "several hosts"),
        ("postgresql://u@h/d?host=a", "twice"),
        ("postgresql://u@h/d?port=6000", "twice"),
        ("postgresql://u@a:1,b:54x/d", "a port that is none"),
        ("postgresql://u@[::1]:99999/d", "a port that is none"),
        ("postgresql:///d?host=a&port=0", "a port that is none"),
    ],
)
def test_a_store_whose_parameters_would_not_be_heard_is_refused(text: str, words: str) -> None:
    """Rather than sent to the server as a setting, or passed over in silence."""
    with pytest.raises(ValueError, match=words):
        parse_store(text)


def test_a_piece_of_a_password_is_not_taken_for_the_name_of_a_parameter() -> None:
    """A password with an ampersand ends up where names are: it is not shown."""
    with pytest.raises(ValueError, match="one of its parameters") as refused:
        parse_store("postgresql://h/d?password=correct&horse")
    assert "horse" not in str(refused.value)
