"""What goes with a command that may go either way."""

from base64 import urlsafe_b64encode
from hashlib import blake2b

from pexservice.core.keys import Tag, Terms, digest

SECRET = b"s" * 32


def _written(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


def test_a_key_is_digested_with_the_secret() -> None:
    """Another secret makes another digest of it, and conditions stay as they are."""
    terms = Terms(b"k", frozenset({Tag(1, "1")}), frozenset({Tag(2, "2")}))
    digested = terms.digested(SECRET)
    assert digested == Terms(
        _written(blake2b(b"k", digest_size=16, key=SECRET).digest()), terms.match, terms.none_match
    )
    assert digest(b"k", b"t" * 32) != digested.key
    plain = Terms(match=terms.match)
    assert plain.digested(SECRET) is plain


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
