"""A name that stands for several addresses: all of them are listened on, with one port."""

import signal
import socket
import sys
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from support.client import Client
from support.process import HANG_S, Service, serving

_TWO = """
import socket
from pexservice.__main__ import main
look_up = socket.getaddrinfo
def two(host, port, **more):
    if host != "two.test":
        return look_up(host, port, **more)
    return [each for host in {hosts} for each in look_up(host, port, **more)]
socket.getaddrinfo = two
main()
"""


def of_two(*hosts: str) -> list[str]:
    """Return a program that knows a name `two.test` of these addresses."""
    return [sys.executable, "-c", _TWO.format(hosts=hosts)]


def ports(where: str) -> set[int]:
    """Return the ports of addresses in the log."""
    return {int(each.rpartition(":")[2]) for each in where.split(", ")}


def sequences(service: Service, hosts: tuple[str, ...]) -> list[int]:
    """Take a step at each address."""
    taken = []
    for host in hosts:
        with closing(HTTPConnection(host, service.port, HANG_S)) as client:
            client.request("POST", "/next")
            taken.append(int(client.getresponse().headers["Pex-Sequence"]))
    return taken


def test_all_addresses_of_a_name_are_served(tmp_path: Path) -> None:
    """Free port or not, IPv4 or IPv6, with the walk and with probes, named in the log; one address once."""
    hosts = ("127.0.0.1", "::1", "127.0.0.2")
    options = ["--host", "two.test", "--admin-bind", "two.test:0"]
    with serving(tmp_path, *options, program=of_two(*hosts, "127.0.0.1")) as service:
        assert service.where.count("http://") == 3
        assert len(ports(service.where)) == 1
        assert sequences(service, hosts) == [1, 2, 3]
        admin = service.logged("listening")["admin"]
        [port] = ports(admin)
        for host in hosts:
            with closing(HTTPConnection(host, port, HANG_S)) as client:
                client.request("GET", "/readyz")
                assert client.getresponse().status == 200
        again = service.port
        assert service.stop(signal.SIGTERM) == 0
    with serving(tmp_path, "--host", "two.test", "--port", str(again), program=of_two(*hosts)) as service:
        assert ports(service.where) == {again}
        assert sequences(service, hosts) == [4, 5, 6]


def test_a_stop_closes_every_listener_and_answers_at_each(tmp_path: Path) -> None:
    """Also who came through the second."""
    with serving(tmp_path, "--host", "two.test", program=of_two("127.0.0.1", "127.0.0.2")) as service:
        with Client(("127.0.0.2", service.port)) as client:
            client.send(b"POST /next HTTP/1.1\r\n")
            service.sequence()
            service.send_signal(signal.SIGTERM)
            service.logged("draining")
            client.send(b"Host: x\r\n\r\n")
            assert client.read().status == 200
        assert service.wait() == 0


def test_an_address_that_the_machine_has_not_is_left_out(tmp_path: Path) -> None:
    """If there is another; without one it is an error."""
    with serving(tmp_path, "--host", "two.test", program=of_two("192.0.2.1", "127.0.0.1")) as service:
        assert service.where == f"http://127.0.0.1:{service.port}"
    with serving(tmp_path, "--host", "two.test", program=of_two("192.0.2.1", "198.51.100.7")) as service:
        assert service.wait() == 69


def test_a_port_that_is_taken_at_one_address_is_an_error(tmp_path: Path) -> None:
    """Else its clients would reach somebody else, by the same name."""
    with socket.create_server(("127.0.0.2", 0)) as taken:
        port = str(taken.getsockname()[1])
        hosts = ("127.0.0.1", "127.0.0.2")
        with serving(tmp_path, "--host", "two.test", "--port", port, program=of_two(*hosts)) as service:
            assert service.wait() == 69
            assert "Another process listens there" in service.log


def test_localhost_is_all_that_this_machine_calls_so(tmp_path: Path) -> None:
    """As /etc/hosts has it."""
    found = socket.getaddrinfo("localhost", 0, type=socket.SOCK_STREAM)
    hosts = tuple({str(address[0]) for _, _, _, _, address in found})
    with serving(tmp_path, "--host", "localhost") as service:
        assert sequences(service, hosts) == list(range(1, len(hosts) + 1))


@pytest.mark.parametrize("host", ["::", "0.0.0.0"])
def test_one_address_for_all(tmp_path: Path, host: str) -> None:
    """IPv6's serves IPv4, too, as the system has it."""
    with serving(tmp_path, "--host", host) as service:
        assert sequences(service, ("127.0.0.1",)) == [1]


def test_every_address_of_both_families(tmp_path: Path) -> None:
    """By a name that stands for both: they do not get in each other's way."""
    with serving(tmp_path, "--host", "two.test", program=of_two("::", "0.0.0.0")) as service:
        assert sequences(service, ("127.0.0.1", "::1")) == [1, 2]
