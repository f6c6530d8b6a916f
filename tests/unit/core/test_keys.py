"""What goes with a command that may go either way."""

from base64 import urlsafe_b64encode
from hashlib import blake2b

from pexservice.core.keys import Seen, Tag, Terms, digested, digests, keyed, sequence_of

SECRET = b"s" * 32


def _written(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


def test_a_key_is_digested_with_the_secret() -> None:
    """All of a group at once. Another secret makes another digest of it, and conditions stay as they are."""
    terms = Terms(b"k", frozenset({Tag(1, "1")}), frozenset({Tag(2, "2")}))
    group = {0: Terms(match=terms.match), 2: terms, 5: keyed(b"l" * 255)}
    raw = {key: blake2b(key, digest_size=16, key=SECRET).digest() for key in (b"k", b"l" * 255)}
    assert digested(group, SECRET) == {
        0: group[0],
        2: Terms(_written(raw[b"k"]), terms.match, terms.none_match),
        5: Terms(_written(raw[b"l" * 255])),
    }
    for key in (b"%d" % number for number in range(50)):  # Some have a sign that file names may not have.
        assert digests([key], SECRET)[0] == _written(blake2b(key, digest_size=16, key=SECRET).digest())
    assert digests([b"k"], b"t" * 32)[0] != digests([b"k"], SECRET)[0]


def test_what_a_key_was_used_for_is_a_line_of_text() -> None:
    """Which tells it again."""
    seen = Seen(1, 2**64, "1n", "4,of two,fields")
    assert seen.packed() == b",1,18446744073709551616,1n,4,of two,fields\n"
    assert Seen.of(seen.packed()) == seen
    assert sequence_of(seen.packed()) == seen.sequence


def test_conditions_hold_as_http_wants_it() -> None:
    """In one of the states of `match`, if there are any, and in none of `none_match`."""
    here, there = Tag(1, "1"), Tag(1, "2")
    assert Terms().hold(here)
    assert not Terms(match=frozenset()).hold(here)
    assert Terms(match=frozenset({here, there})).hold(here)
    assert not Terms(match=frozenset({there})).hold(here)
    assert not Terms(none_match=frozenset({here})).hold(here)
    assert Terms(none_match=frozenset({there})).hold(here)
    assert not Terms(match=frozenset({here}), none_match=frozenset({here})).hold(here)
    conditions = (Terms(b"k"), Terms(match=frozenset()), Terms(none_match=frozenset({here})))
    assert [each.has_condition for each in conditions] == [False, True, True]
