"""Values of fields that are lists: members, parameters, quality values, entity tags (RFC 9110, 5.6 and 8.8.3).

One reader serves every such field, so a comma in a quoted string splits none of them, and an empty member, or one that
breaks the grammar, counts for nothing in all of them. What frames a message is the exception: `request.py` takes its
raw members from here, the empty ones too, and rejects all that is not exactly right.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

TCHAR: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_WORD: Final = rf'({TCHAR}+|"(?:[\t !\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t -\x7e\x80-\xff])*")'
_WHITE: Final = " \t"
"""What may stand around a member. Python's own idea of white space has bytes that here are text."""

_RAW = re.compile(r'(?:[^",]|"(?:[^"\\]|\\.)*"?)*', re.DOTALL)
"""A quoted string that does not end takes in all that follows."""
_RAW_TAG = re.compile(r'(?:[^",]|"[^"]*"?)*', re.DOTALL)
"""In an entity tag a backslash is itself."""
_ITEM = re.compile(rf"({TCHAR}+(?:/{TCHAR}+)?)(?:[ \t]*=[ \t]*{_WORD})?")
_PARAMETER = re.compile(rf"[ \t]*;[ \t]*(?:({TCHAR}+)(?:[ \t]*=[ \t]*{_WORD})?)?")
_QUALITY = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
_TAG = re.compile(r'(?:W/)?"[!\x23-\x7e\x80-\xff]*"')


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a list: `name=value;parameter=value`, of which all but the name may be missing.

    Names are in lower case, values as they were meant: without quotes and backslashes.
    """

    name: str
    value: str | None = None
    parameters: tuple[tuple[str, str | None], ...] = ()

    @property
    def quality(self) -> float | None:
        """How much it is wanted, from 0 to 1 (RFC 9110, 12.4.2); None if that is malformed."""
        given = [value or "" for name, value in self.parameters if name == "q"]
        if not given:
            return 1.0
        return float(given[0]) if len(given) == 1 and _QUALITY.fullmatch(given[0]) else None


def split(values: Iterable[str]) -> list[str]:
    """Return the raw members of a field's values, one after the other, also the empty ones."""
    return _split(_RAW, values)


def members(values: Iterable[str]) -> list[Member]:
    """Return the members that are well-formed. Those of Accept are media ranges, whose names have a slash."""
    return [member for raw in split(values) if (member := _member(raw)) is not None]


def entity_tags(values: Iterable[str]) -> list[str]:
    """Return the tags that are well-formed, as they stand, or `*` if there is nothing but that (RFC 9110, 13.1.1)."""
    raw = [each for each in _split(_RAW_TAG, values) if each]
    return raw if raw == ["*"] else [each for each in raw if _TAG.fullmatch(each)]


def _split(raw: re.Pattern[str], values: Iterable[str]) -> list[str]:
    found = []
    for value in values:
        end = -1
        while end < len(value):
            begin = end + 1
            matched = raw.match(value, begin)
            assert matched is not None, "the pattern matches nothing, too"
            end = matched.end()
            found.append(value[begin:end].strip(_WHITE))
    return found


def _member(raw: str) -> Member | None:
    item = _ITEM.match(raw)
    if item is None:
        return None
    parameters, end = [], item.end()
    while end < len(raw):
        parameter = _PARAMETER.match(raw, end)
        if parameter is None:
            return None
        if parameter[1]:
            parameters.append((parameter[1].lower(), _word(parameter[2])))
        end = parameter.end()
    return Member(item[1].lower(), _word(item[2]), tuple(parameters))


def _word(word: str | None) -> str | None:
    return re.sub(r"\\(.)", r"\1", word[1:-1]) if word is not None and word.startswith('"') else word
