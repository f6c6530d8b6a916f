"""The wire of a real service: pipelining, persistence, any cut of the bytes, and requests that are none."""

import json
import threading

import pytest

from pexservice.limits import UNANSWERED_STEPS_MAX
from pexservice.walk.fibonacci import Pair
from support.client import Answer, Client, message
from support.messages import INVALID, NEXT, VALID, Invalid, Valid
from support.process import Service

CURRENT = message("GET", "/current")


def is_simple(valid: Valid) -> bool:
    """Tell whether a message is short, gets one answer, and leaves the connection open."""
    return len(valid.data) < 120 and valid.keep_alive and b"100-" not in valid.data


def test_pipelined_requests_see_their_own_steps(client: Client) -> None:
    """In one packet, /next, /current, /next are answered in order, each as of its turn."""
    before = client.ask("GET", "/current").sequence
    client.send(NEXT + CURRENT + NEXT + message("HEAD", "/current") + message("GET", "/nothing") + NEXT)
    answers = [client.read(method) for method in ("GET", "GET", "GET", "HEAD", "GET", "GET")]
    assert [answer.status for answer in answers] == [200, 200, 200, 200, 404, 200]
    assert [int(answer.get("pex-sequence") or 0) - before for answer in answers] == [1, 1, 2, 2, -before, 3]


def test_a_long_pipeline_is_answered_in_order(client: Client) -> None:
    """More requests than may be under way at a time are all answered, steps and reads in their order."""
    before = client.ask("GET", "/current").sequence
    count = 3 * UNANSWERED_STEPS_MAX
    client.send((NEXT * 7 + CURRENT) * (count // 8))
    taken = [client.read().sequence - before for _ in range(count)]
    assert taken == [7 * (index // 8) + min(index % 8 + 1, 7) for index in range(count)]


@pytest.mark.parametrize(
    ("last", "closes"),
    [
        (message("POST", "/next", "Connection: close"), True),
        (message("GET", "/next", version="1.0", host=None), True),
        (message("GET", "/next", "Connection: keep-alive", version="1.0", host=None), False),
        (NEXT, False),
    ],
)
def test_nothing_behind_the_last_request_is_executed(client: Client, last: bytes, closes: bool) -> None:  # noqa: FBT001
    """A request that ends the connection is answered with `close`, and what follows it is ignored."""
    before = client.ask("GET", "/current").sequence
    client.send(last + NEXT * 3)
    client.end_sending()
    answers = client.read_all()
    assert [answer.sequence - before for answer in answers] == ([1] if closes else [1, 2, 3, 4])
    assert answers[0].closes == closes
    assert answers[0].get("connection") == ("close" if closes else "keep-alive" if b"1.0" in last else None)


def test_a_half_closed_client_is_answered(service: Service, client: Client) -> None:
    """A client that sends no more gets every answer it waits for, and part of a request is none."""
    before = service.sequence()
    client.send(NEXT * 300 + NEXT[:-1])
    client.end_sending()
    assert [answer.sequence - before for answer in client.read_all()] == list(range(1, 301))
    assert service.sequence() == before + 300


@pytest.mark.parametrize("name", [name for name in VALID if is_simple(VALID[name])])
def test_a_message_may_come_in_any_pieces(client: Client, name: str) -> None:
    """Cut in two at any byte, or sent byte by byte, a message is answered once, and alike."""
    data, method = VALID[name].data, VALID[name].method
    client.send(data)
    expected = client.read(method)
    places = range(len(data)) if name == "plain" else range(0, len(data), 7)
    pieces = [(data[:place], data[place:]) for place in places]
    for sent in (*pieces, [data[place : place + 1] for place in range(len(data))]):
        client.send(*sent)
        answer = client.read("HEAD" if method == "HEAD" else "GET")
        assert answer.status == expected.status
        assert dict(answer.fields).keys() == dict(expected.fields).keys()
        if expected.get("pex-sequence"):
            assert answer.sequence == expected.sequence + (VALID[name].path == "/next")
            expected = answer


@pytest.mark.parametrize("invalid", INVALID.values(), ids=INVALID)
def test_no_rejected_request_steps(service: Service, client: Client, invalid: Invalid) -> None:
    """A bad request is answered after the steps before it, is the last, and takes no step, nor does what follows."""
    before = service.sequence()
    client.send(NEXT * 2 + invalid.data + NEXT)
    *steps, error = client.read_all()
    assert [answer.sequence - before for answer in steps] == [1, 2]
    assert (error.status, error["content-type"]) == (invalid.status, "application/problem+json")
    assert json.loads(error.body)["status"] == invalid.status
    assert error.closes
    assert service.sequence() == before + 2


def test_a_waiting_client_is_told_to_continue(client: Client) -> None:
    """100 Continue comes in its turn, behind the answers before it, and then the body counts."""
    before = client.ask("GET", "/current").sequence
    client.send(NEXT + message("POST", "/next", "Expect: 100-continue", "Content-Length: 3"))
    assert [client.read().status, client.read().status] == [200, 100]
    client.send(b"abc" + NEXT)
    assert [client.read().sequence, client.read().sequence] == [before + 2, before + 3]
    client.send(message("POST", "/next", "Expect: 100-continue", "Content-Length: 9999"))
    assert [answer.status for answer in client.read_all()] == [413]


def test_empty_lines_are_ignored(service: Service) -> None:
    """Empty lines that come by themselves, on one connection after another, are no request and do no harm."""
    for _ in range(3):
        with service.connect() as client:
            for _ in range(2):
                client.send(b"\r\n")
                service.sequence()  # By now it was read.
            assert client.ask("GET", "/livez").status == 200


def test_no_byte_of_a_request_comes_back(service: Service, client: Client) -> None:
    """What a client sends is repeated neither in an error nor in the log."""
    for data in (
        message("GET", "/<leak>"),
        message("LEAK", "/next"),
        message("GET", "/next?leak", "Sec-Purpose: prefetch", "X-Leak: leak"),
        message("POST", "/livez", body=b"<leak>"),
        message("LEAK", "leak://leak", "Leak: leak", host="<leak>"),
    ):
        client.send(data)
        answer = client.read()
        assert answer.status >= 400
        assert "leak" not in (answer.body.decode() + str(answer.fields)).lower()
    assert client.is_ended()
    assert "leak" not in service.log.lower()


def test_many_clients_share_one_walk(service: Service) -> None:
    """However many clients step at once, every step has a sequence of its own and the value of its position."""
    before = service.sequence()
    answers: list[Answer] = []

    def step() -> None:
        with service.connect() as client:
            answers.extend(client.ask("POST", path) for path in ("/next", "/next", "/previous") * 10)

    threads = [threading.Thread(target=step) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.sequence - before for answer in answers) == list(range(1, 241))
    assert all(answer.body.decode() == f"{Pair.at(answer.position).value}\n" for answer in answers)
