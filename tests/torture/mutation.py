"""Bytes that are almost right: the food of a fuzzer.

Random bytes are refused at their first character. What reaches further is a good example with a few changes, above all
whole lines moved, repeated or taken from elsewhere, which stay well-formed and only mean something else. An input that
had an effect never seen before becomes an example itself.
"""

from collections.abc import Hashable, Sequence
from random import Random
from typing import Final

CHANGES_MAX: Final = 4
LEARNED_MAX: Final = 512
"""Examples that were learned; beyond it a new one takes the place of another."""
PIECES_MAX: Final = 6


class Mutator:
    """Makes inputs from examples, tokens, and what it learned."""

    def __init__(self, rng: Random, examples: Sequence[bytes], tokens: Sequence[bytes]) -> None:
        """A token is what may stand anywhere; every line of an example may also stand where another does."""
        self._rng = rng
        self._examples = examples
        self._tokens = tokens
        self._lines = sorted({line for example in examples for line in example.splitlines(keepends=True)})
        self._learned: list[bytes] = []
        self._effects: set[Hashable] = set()
        self._changes = (
            self._flip_bit,
            self._replace,
            self._insert,
            self._insert_token,
            self._delete,
            self._repeat,
            self._splice,
            self._join,
            self._insert_line,
            self._replace_line,
            self._delete_line,
            self._repeat_line,
            self._swap_lines,
        )

    @property
    def effects(self) -> int:
        """How many different effects were seen."""
        return len(self._effects)

    def make(self) -> bytes:
        """Return an example with a few changes."""
        data = self._example()
        for _ in range(min(CHANGES_MAX, 1 + int(self._rng.expovariate(1)))):
            data = self._rng.choice(self._changes)(data)
        return data

    def learn(self, data: bytes, effect: Hashable) -> None:
        """Take the input for an example if its effect is a new one."""
        if effect in self._effects:
            return
        self._effects.add(effect)
        if len(self._learned) < LEARNED_MAX:
            self._learned.append(data)
        else:
            self._learned[self._rng.randrange(LEARNED_MAX)] = data

    def pieces(self, data: bytes) -> list[bytes]:
        """Return the input cut in random places, now and then at every byte."""
        if self._rng.random() < 0.05:
            return [data[index : index + 1] for index in range(len(data))]
        places = sorted(self._rng.randrange(len(data) + 1) for _ in range(self._rng.randint(1, PIECES_MAX)))
        return [data[begin:end] for begin, end in zip([0, *places], [*places, len(data)], strict=True)]

    def _example(self) -> bytes:
        pool = self._learned if self._learned and self._rng.random() < 0.5 else self._examples
        return self._rng.choice(pool)

    def _span(self, data: bytes) -> tuple[int, int]:
        """Return where a part of the input begins and ends, a short one as a rule."""
        begin = self._rng.randrange(len(data) + 1)
        return begin, min(len(data), begin + int(self._rng.expovariate(1 / 8)) + 1)

    def _flip_bit(self, data: bytes) -> bytes:
        if not data:
            return data
        place = self._rng.randrange(len(data))
        return data[:place] + bytes([data[place] ^ 1 << self._rng.randrange(8)]) + data[place + 1 :]

    def _replace(self, data: bytes) -> bytes:
        begin, end = self._span(data)
        return data[:begin] + self._rng.randbytes(min(4, end - begin)) + data[end:]

    def _insert(self, data: bytes) -> bytes:
        place = self._rng.randrange(len(data) + 1)
        return data[:place] + self._rng.randbytes(1) + data[place:]

    def _insert_token(self, data: bytes) -> bytes:
        place = self._rng.randrange(len(data) + 1)
        return data[:place] + self._rng.choice(self._tokens) + data[place:]

    def _delete(self, data: bytes) -> bytes:
        begin, end = self._span(data)
        return data[:begin] + data[end:]

    def _repeat(self, data: bytes) -> bytes:
        begin, end = self._span(data)
        return data[:end] + data[begin:end] * self._rng.choice((1, 1, 2, 9)) + data[end:]

    def _splice(self, data: bytes) -> bytes:
        other = self._example()
        return data[: self._rng.randrange(len(data) + 1)] + other[self._rng.randrange(len(other) + 1) :]

    def _join(self, data: bytes) -> bytes:
        return data + self._example()

    def _insert_line(self, data: bytes) -> bytes:
        lines = data.splitlines(keepends=True) or [b""]
        lines.insert(self._rng.randint(1, len(lines)), self._rng.choice(self._lines))
        return b"".join(lines)

    def _replace_line(self, data: bytes) -> bytes:
        lines = data.splitlines(keepends=True) or [b""]
        lines[self._rng.randrange(len(lines))] = self._rng.choice(self._lines)
        return b"".join(lines)

    def _delete_line(self, data: bytes) -> bytes:
        lines = data.splitlines(keepends=True) or [b""]
        del lines[self._rng.randrange(len(lines))]
        return b"".join(lines)

    def _repeat_line(self, data: bytes) -> bytes:
        lines = data.splitlines(keepends=True) or [b""]
        lines.insert(self._rng.randint(1, len(lines)), self._rng.choice(lines))
        return b"".join(lines)

    def _swap_lines(self, data: bytes) -> bytes:
        lines = data.splitlines(keepends=True) or [b""]
        one, other = self._rng.randrange(len(lines)), self._rng.randrange(len(lines))
        lines[one], lines[other] = lines[other], lines[one]
        return b"".join(lines)
