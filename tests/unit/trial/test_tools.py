"""What the load generators print."""

from pathlib import Path

import pytest

from pexservice.core.judging import Place
from pexservice.trial.target import Target
from pexservice.trial.tools import Ab, Wrk

TARGET = Target("http://127.0.0.1:8081", "127.0.0.1", 8081, "", Place(0, 0))
AB = """
Concurrency Level:      10
Time taken for tests:   2.000 seconds
Complete requests:      1000
Failed requests:        3
   (Connect: 0, Receive: 3, Length: 0, Exceptions: 0)
Non-2xx responses:      5
Keep-Alive requests:    1000
Total transferred:      250000 bytes
HTML transferred:       3000 bytes
Percentage of the requests served within a certain time (ms)
  50%      1
 100%      9 (longest request)
"""
WRK = """Running 5s test @ http://127.0.0.1:8081/next
  1 threads and 10 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.10ms    1.50ms  30.00ms   95.00%
    Req/Sec     9.01k     1.01k   10.00k    80.00%
  Latency Distribution
     50%  970.00us
     75%    1.10ms
     99%    1.00s
  44123 requests in 5.00s, 8.20MB read
  Socket errors: connect 0, read 2, write 0, timeout 1
  Non-2xx or 3xx responses: 23
Requests/sec:   8824.30
Transfer/sec:      1.64MB
"""


def test_ab_is_read(tmp_path: Path) -> None:
    """Answers are neither refused nor failed, and what failed may have been a step."""
    (tmp_path / "served.csv").write_text("Percentage served,Time in ms\n50,0.812\n99,4.500\n", "ascii")
    outcome = Ab(1000, 10).outcome(AB, TARGET, tmp_path)
    assert (outcome.answers, outcome.refused, outcome.unknown, outcome.received_bytes) == (992, 5, 3, 250_000)
    assert outcome.served_ms == [(50, 0.812), (99, 4.5), (100, 9.0)]
    assert outcome.load == "ab -l -k -c 10 -n 1000 http://127.0.0.1:8081/next"


def test_percentages_that_ab_makes_up_are_left_out(tmp_path: Path) -> None:
    """Of ten requests it has no 99th of a hundred, and shows what lies behind the last."""
    (tmp_path / "served.csv").write_text(
        "Percentage served,Time in ms\n50,1.678\n80,1.700\n90,1.8\n95,0.257\n99,0.257\n", "ascii"
    )
    few = AB.replace("Complete requests:      1000", "Complete requests:      10")
    assert few != AB
    assert Ab(10, 1).outcome(few, TARGET, tmp_path).served_ms == [(50, 1.678), (80, 1.7), (90, 1.8), (100, 9.0)]


def test_ab_that_was_stopped_leaves_some_under_way(tmp_path: Path) -> None:
    """One on each connection, at most."""
    assert Ab(2000, 10).outcome(AB, TARGET, tmp_path).unknown == 13


def test_wrk_is_read(tmp_path: Path) -> None:
    """Whatever the units; each connection may leave a request under way."""
    outcome = Wrk(10).outcome(WRK.replace("1.00s\n", "1.00s \n"), TARGET, tmp_path)
    assert (outcome.answers, outcome.refused, outcome.unknown, outcome.seconds) == (44_100, 23, 13, 5.0)
    assert outcome.received_bytes == round(8.2 * 2**20)
    assert list(outcome.served_ms[0]) == pytest.approx([50.0, 0.97])
    assert outcome.served_ms[-2:] == [(99.0, 1000.0), (100.0, 30.0)]


@pytest.mark.parametrize("tool", [Ab(10, 1), Wrk(1)], ids=["ab", "wrk"])
def test_what_cannot_be_read_is_said(tool: Ab | Wrk, tmp_path: Path) -> None:
    """With what was printed."""
    with pytest.raises(ValueError, match="apr_socket_recv: Connection refused"):
        tool.outcome("apr_socket_recv: Connection refused (111)\n", TARGET, tmp_path)
