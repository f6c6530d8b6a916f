"""Lists in field values, against the grammar of RFC 9110, 5.6: written in any way, and read once more, slowly."""

import string
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexservice.http.fields import Member, entity_tags, members, split

TCHARS: Final = string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~"
TEXT: Final = "\t " + "".join(map(chr, [*range(0x21, 0x7F), *range(0x80, 0x100)]))
"""What a quoted string may hold, two of it behind a backslash."""
ETAGC: Final = "".join(map(chr, [0x21, *range(0x23, 0x7F), *range(0x80, 0x100)]))

tokens = st.text(TCHARS, min_size=1, max_size=5)
spaces = st.text(" \t", max_size=2)
commas = st.lists(spaces, max_size=2).map(",".join)
"""Empty members."""


@st.composite
def words(draw: st.DrawFn) -> tuple[str, str]:
    """Return a value, and one of the ways to write it."""
    if draw(st.booleans()):
        token = draw(tokens)
        return token, token
    text = draw(st.text(TEXT, max_size=6))
    escaped = [f"\\{each}" if each in '"\\' or draw(st.booleans()) else each for each in text]
    return text, f'"{"".join(escaped)}"'


@st.composite
def pairs(draw: st.DrawFn, names: st.SearchStrategy[str]) -> tuple[tuple[str, str | None], str]:
    """Return a name with or without a value, and one of the ways to write it."""
    name = draw(names)
    if draw(st.booleans()):
        return (name.lower(), None), name
    value, written = draw(words())
    return (name.lower(), value), f"{name}{draw(spaces)}={draw(spaces)}{written}"


ranges = st.builds("{}/{}".format, tokens, tokens)


@st.composite
def written_members(draw: st.DrawFn) -> tuple[Member, str]:
    """Return a member, and one of the ways to write it."""
    (name, value), text = draw(pairs(tokens | ranges))
    parameters = []
    for _ in range(draw(st.integers(0, 3))):
        parameter, written = draw(pairs(tokens))
        parameters.append(parameter)
        text += f"{draw(spaces)};{draw(spaces)}{written}" + draw(st.sampled_from(["", ";", " ; "]))
    return Member(name, value, tuple(parameters)), text.rstrip(" ")


@given(st.lists(written_members(), max_size=4), st.data())
def test_a_list_reads_as_it_was_written(written: list[tuple[Member, str]], data: st.DataObject) -> None:
    """With any white space, empty members, quotes and escapes, and in any number of fields."""
    values = [""]
    for _, text in written:
        values[-1] += f"{data.draw(commas)}{data.draw(spaces)}{text}{data.draw(spaces)}"
        if data.draw(st.booleans()):
            values.append("")
        else:
            values[-1] += ","
    assert members(values) == [member for member, _ in written]


def slowly(value: str, *, is_escaping: bool) -> list[str]:
    """Return the raw members of a value, one character after the other."""
    found, is_quoted, is_escaped = [""], False, False
    for each in value:
        if each == "," and not is_quoted:
            found.append("")
            continue
        found[-1] += each
        if is_escaped:
            is_escaped = False
        elif is_quoted and is_escaping and each == "\\":
            is_escaped = True
        elif each == '"':
            is_quoted = not is_quoted
    return [each.strip(" \t") for each in found]


anything = st.text('ab",\\;= \t/*W\x0b\xa0', max_size=30) | st.text(st.characters(max_codepoint=0xFF), max_size=30)


@given(st.lists(anything, max_size=3))
def test_only_a_comma_outside_of_quotes_splits(values: list[str]) -> None:
    """Whatever the value; and a quoted string that does not end takes in the rest of its field, not of the next."""
    assert split(values) == [each for value in values for each in slowly(value, is_escaping=True)]


@given(anything)
def test_a_member_that_breaks_the_grammar_says_nothing(value: str) -> None:
    """The others of its list count as they would without it."""
    assert members([f'a;b="c,d", {value}'])[:1] == [Member("a", None, (("b", "c,d"),))]
    assert len(members([value])) <= len([each for each in split([value]) if each])


@pytest.mark.parametrize(
    "value",
    [
        '"a"',
        'a"b"',
        'a="b',
        'a="b" c',
        "a b",
        "a;b c",
        "a;=b",
        "=b",
        ";b",
        "a=b=c",
        "a/b/c",
        "a/",
        "/b",
        "a;b/c",
        "\xa0a",
    ],
)
def test_what_is_no_member_is_left_out(value: str) -> None:
    """Each of these is outside of every list grammar that is read here."""
    assert members([value]) == []


@pytest.mark.parametrize(
    ("value", "quality"),
    [
        ("a", 1.0),
        ("a;q=0", 0.0),
        ("a;q=0.", 0.0),
        ("a;Q=0.125", 0.125),
        ("a;q=1.000", 1.0),
        ("a;b=c;q=0.5;d", 0.5),
        ('a;q="0.5"', 0.5),
        ("a;q=1.001", None),
        ("a;q=0.1234", None),
        ("a;q=2", None),
        ("a;q=.5", None),
        ("a;q=x", None),
        ("a;q", None),
        ("a;q=0;q=1", None),
    ],
)
def test_a_quality_has_three_digits_at_most(value: str, quality: float | None) -> None:
    """RFC 9110, 12.4.2: from 0 to 1; 1 where there is none."""
    (member,) = members([value])
    assert member.quality == quality


@given(st.lists(st.tuples(st.sampled_from(["", "W/"]), st.text(ETAGC, max_size=5)), max_size=4), commas, st.booleans())
def test_tags_read_as_they_were_written(tags: list[tuple[str, str]], between: str, is_several: bool) -> None:  # noqa: FBT001
    """RFC 9110, 8.8.3: a backslash in a tag is itself, and a comma is too."""
    written = [f'{weak}"{text}"' for weak, text in tags]
    values = written if is_several else [f"{between},".join(["", *written, ""])]
    assert entity_tags(values) == written


@given(anything, anything)
def test_what_is_no_tag_is_left_out(before: str, after: str) -> None:
    """And what is one is found beside it, unless it stands in quotes there."""
    raw = slowly(f'{before},"t",{after}', is_escaping=False)
    wanted = [
        each
        for each in raw
        if len(body := each.removeprefix("W/")) > 1 and body[0] == body[-1] == '"' and set(body[1:-1]) <= set(ETAGC)
    ]
    assert entity_tags([f'{before},"t",{after}']) == wanted


@pytest.mark.parametrize(
    ("values", "tags"),
    [(["*"], ["*"]), ([" , * ,"], ["*"]), (['*, "a"'], ['"a"']), (["*", "*"], []), (['"*"'], ['"*"']), (["W/*"], [])],
)
def test_a_star_stands_alone(values: list[str], tags: list[str]) -> None:
    """RFC 9110, 13.1.1: it is the whole value, no member of a list."""
    assert entity_tags(values) == tags
