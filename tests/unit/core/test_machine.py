"""What the core and the stores rely on, whatever the machine."""

import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexservice.core.judging import OWN_REFUSALS, Place, judge
from pexservice.core.machine import Machine, Outcomes, Refusal
from pexservice.core.measures import Histogram, Measure
from pexservice.errors import DefectiveMachine, WrongMachine
from pexservice.limits import ROW_COMMANDS_MAX
from pexservice.stores.journal.record import Codec
from pexservice.walk.machine import WALK
from pexservice.walk.steps import NEXT, PREVIOUS, RESET
from support.machines import COUNTER, FULL, Counter
from tickets.machine import TICKETS, Buy, Return

MACHINES: dict[str, tuple[Machine[Any, Any], st.SearchStrategy[Any]]] = {
    "walk": (WALK, st.sampled_from([NEXT, PREVIOUS, RESET])),
    "counter": (COUNTER, st.integers(-20, 20)),
    "tickets": (
        TICKETS,
        st.builds(Buy, st.sampled_from("abc"), st.integers(1, 9))
        | st.builds(Return, st.sampled_from("abc"), st.integers(1, 9)),
    ),
}
every_machine = pytest.mark.parametrize("name", MACHINES)


def one_by_one(machine: Machine[Any, Any], state: Any, commands: Sequence[Any]) -> Outcomes[Any]:
    """Apply commands as the machine's own `step` says."""
    return Machine.apply(machine, state, commands)


@every_machine
@given(st.data())
def test_a_group_comes_to_what_its_commands_come_to(name: str, data: st.DataObject) -> None:
    """However a machine applies a group, it is as if it took the commands one by one."""
    machine, command = MACHINES[name]
    before = data.draw(st.lists(command, max_size=8))
    commands = data.draw(st.lists(command, min_size=1, max_size=40))
    state = ([machine.initial, *machine.apply(machine.initial, before).states])[-1]
    states, refusals = machine.apply(state, commands)
    expected = one_by_one(machine, state, commands)
    assert (list(states), dict(refusals)) == (list(expected.states), dict(expected.refusals))


@every_machine
@given(st.data())
def test_what_was_taken_is_read_again_and_leads_there_again(name: str, data: st.DataObject) -> None:
    """Commands and states are written as fields of a row, and come back the same."""
    machine, command = MACHINES[name]
    judgement = judge(machine, Place(7, machine.initial), data.draw(st.lists(command, min_size=1, max_size=40)))
    assert machine.read_state(machine.encode_state(judgement.end.state)) == judgement.end.state
    assert len(machine.encode_state(judgement.end.state).split(",")) == len(machine.columns)
    assert sum(machine.tally(judgement.taken).values()) == len(judgement.taken) == judgement.end.sequence - 7
    assert set(machine.tally(judgement.taken)) <= set(machine.kinds)
    if judgement.taken:
        text = machine.encode(judgement.taken)
        assert list(machine.read_commands(text)) == list(judgement.taken)
        assert machine.replay(machine.initial, text) == (len(judgement.taken), judgement.end.state)
        codec = Codec(machine)
        row = codec.decode_body(codec.encode_body(judgement.end, text, 1.5))
        codec.follow(row, judgement.start)
        assert (row.place, row.commands) == (judgement.end, text)


@every_machine
@given(st.text("np0123456789r:-, buyretn", max_size=12))
def test_only_what_would_have_been_written_is_read(name: str, text: str) -> None:
    """Reading anything else is a ValueError, and what is read is written the same."""
    machine, _ = MACHINES[name]
    for read, write in ((machine.read_commands, machine.encode), (machine.read_state, machine.encode_state)):
        try:
            found = read(text)
        except ValueError:
            continue
        assert write(found) == text


def test_a_written_command_that_is_refused_is_no_row() -> None:
    """Only what was taken is written, so a refusal on reading is damage."""
    with pytest.raises(ValueError, match="refused"):
        COUNTER.replay((9, 1), "2")


def test_a_refusal_leaves_the_state() -> None:
    """Commands behind a refused one are judged on the state before it."""
    assert COUNTER.apply((9, 1), [2, 1]) == Outcomes([(9, 1), (10, 2)], {0: FULL})
    assert isinstance(TICKETS.step((), Return("ann", 1)), Refusal)


@pytest.mark.parametrize("status", [200, 303, 404.0, 460, 499, 500, None, "409"])
def test_a_refusal_has_a_status_that_http_has(status: Any) -> None:
    """A status that is no 4xx, or none at all, fails when the machine is written, not when a client is refused."""
    assert Refusal("a", "b", "c", 422).status == 422
    with pytest.raises(WrongMachine, match=f"the status of Refusal 'a' is a 4xx that HTTP has, not {status!r}"):
        Refusal("a", "b", "c", status)


@pytest.mark.parametrize(
    "code", ["Sold out!", "sold out", "Sold-out", "", "sold_out", "-", "sold-", "\u00e9", None, 'a"b', "x" * 57]
)
def test_a_refusal_has_a_code_for_a_urn_and_a_label(code: Any) -> None:
    """As those of the core, it is small letters, numerals and hyphens."""
    assert {Refusal(each, "b", "c").code for each in ("sold-out", "x2", "x" * 56, *OWN_REFUSALS)} > set(OWN_REFUSALS)
    with pytest.raises(
        WrongMachine, match=f"small letters, numerals and hyphens, 56 at most, not {re.escape(repr(code))}"
    ):
        Refusal(code, "b", "c")


@pytest.mark.parametrize(("title", "detail"), [(None, "c"), ("b", b"c")])
def test_a_refusal_says_its_reason_in_texts(title: Any, detail: Any) -> None:
    """Anything else could not be told to a client."""
    with pytest.raises(WrongMachine, match="title and detail of Refusal 'a' must be texts, str, not"):
        Refusal("a", title, detail)


def test_a_row_that_was_made_up_does_not_take_all_memory() -> None:
    """More commands than a row may hold are none that the machine writes, neither to list them nor to replay them."""
    with pytest.raises(ValueError, match="not what this machine writes"):
        WALK.read_commands(f"{ROW_COMMANDS_MAX + 1}n")
    assert WALK.replay(0, f"{ROW_COMMANDS_MAX}n") == (ROW_COMMANDS_MAX, ROW_COMMANDS_MAX)
    for count in (ROW_COMMANDS_MAX + 1, 999999999999999999):
        with pytest.raises(ValueError, match="more than 65536 steps"):
            WALK.replay(0, f"{count}n")


def test_a_state_is_described_by_its_columns() -> None:
    """For people, a state is its fields with their names."""
    assert COUNTER.describe((3, 2)) == "count 3, changes 2"
    assert list(COUNTER.measures((3, 2))) == []
    assert [measure.name for measure in WALK.measures(30)] == ["pex_position", "pex_digits"]


def test_the_tag_of_a_state_tells_it_from_others() -> None:
    """A checksum of the state as it is written, where the machine has no shorter one."""
    tags = {Machine.tag(COUNTER, state) for state in [(0, 0), (0, 1), (1, 0), (10, 1)]}
    assert len(tags) == 4
    assert all(re.fullmatch("[0-9a-f]{8}", tag) for tag in tags)
    assert WALK.tag(30) == "30"


@every_machine
def test_every_machine_of_ours_is_written_as_it_must_be(name: str) -> None:
    """Nothing is wrong with them."""
    MACHINES[name][0].check()


def _shows(*names: str) -> Any:
    """Return a method that shows measures of these names: `pex_a` as a histogram, all others as numbers."""
    return lambda *_: [Measure(name, "x", Histogram((1,)) if name == "pex_a" else 0) for name in names]


def _raise(_self: object, _given: object) -> Any:
    raise KeyError("there")


@pytest.mark.parametrize(
    ("attribute", "wrong", "told"),
    [
        ("name", "my coupons", "its name 'my coupons' must be: letters, numerals and hyphens"),
        ("name", "", "its name '' must be"),
        ("name", None, "its name None must be"),
        ("columns", ("count", "chan,ges"), "its columns 'chan,ges' must be"),
        ("columns", "count", "its columns are 'count', which is not a tuple"),
        ("columns", (), "not a tuple of one or more"),
        ("columns", ("count", "sequence"), "the column sequence is there twice; every row also has sequence, keys"),
        ("columns", ("count",), "encode_state writes 2 fields of the initial state, for \\('count',\\)"),
        ("commands_column", "count", "the column count is there twice"),
        ("commands_column", "my steps", "its commands_column 'my steps' must be"),
        ("kinds", ("up", 'do"wn'), "its kinds"),
        ("kinds", ("up", "d" * 57), "its kinds 'd+' must be: letters, numerals, hyphens and underscores, 56 at most"),
        ("kinds", ("up", "up"), "its kinds are there twice"),
        ("encode_state", lambda _self, _state: "0,", "writes the field changes as ''. A field is printable ASCII"),
        ("encode_state", lambda _self, _state: "0,\u00e9", "writes the field changes"),
        ("encode_state", _raise, "its encode_state raises KeyError of the initial state: 'there'"),
        ("encode_state", lambda *_: None, "its encode_state returns None of the initial state: it must return a text"),
        ("encode_state", lambda *_: b"0,0", "its encode_state returns b'0,0'"),
        ("tag", lambda *_: None, "its tag returns None of the initial state"),
        ("tag", lambda *_: 'a"b', "its tag 'a\"b' must be: letters, numerals, points and underscores"),
        ("tag", _raise, "its tag raises KeyError of the initial state"),
        ("describe", lambda *_: ("count", 0), "its describe returns \\('count', 0\\) of"),
        ("answer_bytes_max", lambda *_: None, "its answer_bytes_max returns None of the initial state: give a number"),
        ("answer_bytes_max", lambda *_: -1, "its answer_bytes_max returns -1"),
        ("answer_bytes_max", _raise, "its answer_bytes_max raises KeyError"),
        ("measures", _shows("pex_keys"), "its measure pex_keys has the name of the metric pex_keys. Give it another"),
        ("measures", _shows("pex_steps"), "its measure pex_steps has the name of the metric pex_steps"),
        ("measures", _shows("pex_sequence_total"), "pex_sequence_total has the name of the metric pex_sequence"),
        (
            "measures",
            _shows("pex_commit_seconds_sum"),
            "pex_commit_seconds_sum has the name of the metric pex_com",
        ),
        ("measures", _shows("pex_group_steps_bucket"), "has the name of the metric pex_group_steps"),
        ("measures", _shows("pex_a_count", "pex_a"), "its measure pex_a has the name of the metric pex_a_count"),
        ("measures", _shows("pex_a", "pex_a_created"), "its measure pex_a_created has the name of the metric pex_a"),
        ("measures", _shows("pex_a", "pex_a"), "its measures are there twice"),
        ("measures", lambda *_: None, "its measures raises TypeError"),
        (
            "measures",
            lambda *_: [("pex_count", "x", 0)],
            "its measures have \\('pex_count', 'x', 0\\): each is a Measure",
        ),
        ("measures", lambda *_: [Measure("pex_count", "x", None)], "its measures have Measure.*: each is a Measure"),  # type: ignore[arg-type]
        ("measures", lambda *_: [Measure("pex_count", "Z\u00e4hler", 0)], "its measures have Measure.*: each is a"),
        ("decode_state", lambda _self, _text: (1, 0), "decode_state reads another state than the initial one"),
        ("decode_state", _raise, "its decode_state raises KeyError"),
        ("measures", lambda _self, _state: [Measure("Issued so far", "x", 0)], "its measures 'Issued so far' must be"),
        ("measures", lambda _self, _state: [Measure("count", "x", 0)], "its measures 'count' must be: pex_, then"),
    ],
)
def test_a_machine_that_is_not_written_as_it_must_be_says_so(attribute: str, wrong: object, told: str) -> None:
    """Its author learns which attribute or method is wrong, and how, before a row is written."""
    machine = type("Wrong", (Counter,), {attribute: wrong})()
    with pytest.raises(WrongMachine, match=told):
        machine.check()


def test_a_machine_begins_somewhere() -> None:
    """Without an initial state it cannot be served."""
    whole = {name: each for name, each in vars(Counter).items() if name != "initial"}
    with pytest.raises(WrongMachine, match="it has no initial state"):
        type("Wrong", (Machine,), whole)().check()


@pytest.mark.parametrize("names", [["kind"], ["step"], ["decode", "encode"], ["answer_bytes_max"]])
def test_a_machine_that_lacks_a_method_says_so(names: list[str]) -> None:
    """By the names of all that are missing, as soon as it is made."""
    parts = {name: each for name, each in vars(Counter).items() if name not in names}
    with pytest.raises(WrongMachine, match=f"Wrong lacks {', '.join(names)}. Write what is missing"):
        type("Wrong", (Machine,), parts)()


def test_the_fields_that_are_checked_are_those_that_rows_have() -> None:
    """One rule for a field: of the check beforehand, and of the journal."""
    for code in range(1, 256):
        text = f"0,{chr(code)}x"
        machine = type("Wrong", (Counter,), {"encode_state": lambda _, __, text=text: text})()
        with pytest.raises(WrongMachine) as raised:
            machine.check()
        is_refused = "is printable ASCII" in str(raised.value) or chr(code) == ","
        try:
            Codec(machine).encode_body(Place(1, (0, 0)), "1", 1.0)
        except DefectiveMachine:
            assert is_refused or "encode_state writes 3" in str(raised.value), code
        else:
            assert not is_refused, code


@pytest.mark.parametrize("written", ["", "a,b", "\u00e9", None, b"a"])
def test_what_is_no_field_is_not_sent_to_another_process(written: object) -> None:
    """Whose service has workers is told by the sentence that one process has for it."""
    with pytest.raises(DefectiveMachine, match="the machine counter wrote what is no field of a row"):
        type("Wrong", (Counter,), {"encode": lambda *_: written})().pack([1])


def test_what_another_process_sends_is_read_as_strictly_as_a_row() -> None:
    """A reader that overlooks something would have clients told of commands that nobody wrote."""
    machine = type("Wrong", (Counter,), {"decode": lambda _, text: [int(text[:2])]})()
    assert machine.unpack(machine.pack([12])) == [12]
    with pytest.raises(ValueError, match="not commands of this machine: '123'"):
        machine.unpack(machine.pack([123]))
