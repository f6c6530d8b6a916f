"""Every row of the contract's HTTP table, asked of a real service over real connections."""

import json
from email.utils import format_datetime, parsedate_to_datetime

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pexservice.limits import DEFAULT
from pexservice.walk.fibonacci import Pair
from support.client import Answer, Client, message
from support.messages import NEXT
from support.process import Service

STEPS = ("/next", "/previous", "/reset")
READS = ("/", "/current", "/livez", "/readyz", "/metrics", "/openapi.json")
DOCUMENT = "application/vnd.pexservice+json"


def value(answer: Answer) -> str:
    """Return the digits that an answer about the walk must carry."""
    return str(Pair.at(answer.position).value)


def assert_problem(answer: Answer, status: int) -> None:
    """Demand a problem document (RFC 9457) about the status, and that nobody keeps it."""
    assert (answer.status, answer["content-type"], answer["cache-control"]) == (
        status,
        "application/problem+json",
        "no-store",
    )
    document = json.loads(answer.body)
    assert document.keys() == {"type", "title", "status", "detail"}
    assert document["status"] == status
    assert document["type"] == "about:blank" or document["type"].startswith("urn:pexservice:")


@pytest.mark.parametrize("path", STEPS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_step_answers_with_the_value_after_it(client: Client, method: str, path: str) -> None:
    """GET and POST step by one, and answer with the new place, its value, and all the fields of a step."""
    before = client.ask("GET", "/current")
    after = client.ask(method, path)
    lead_to = {"/next": before.position + 1, "/previous": max(before.position - 1, 0), "/reset": 0}
    assert (after.status, after.sequence, after.position) == (200, before.sequence + 1, lead_to[path])
    assert after.body.decode() == value(after) + "\n"
    assert (after["content-type"], after["cache-control"]) == ("application/json", "no-store")
    assert (after["vary"], after.get("etag"), after.get("connection")) == ("Accept, Prefer", None, None)
    assert format_datetime(parsedate_to_datetime(after["date"]), usegmt=True) == after["date"]


def test_the_walk_does_not_go_below_zero(client: Client) -> None:
    """Reset, previous, next, next, next, previous answer 0, 0, 1, 1, 2, 1."""
    paths = ["/reset", "/previous", "/next", "/next", "/next", "/previous"]
    assert [client.ask("POST", path).body for path in paths] == [b"0\n", b"0\n", b"1\n", b"1\n", b"2\n", b"1\n"]


@pytest.mark.parametrize(
    ("path", "allow"),
    [(path, "GET, POST, OPTIONS") for path in STEPS] + [(path, "GET, HEAD, OPTIONS") for path in READS],
)
def test_other_methods_do_nothing(client: Client, path: str, allow: str) -> None:
    """Any other method on a known path gets 405 with Allow, OPTIONS 204 with Allow, and none steps."""
    before = client.ask("GET", "/current").sequence
    methods = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW", "next", "PRI"}
    for method in methods - set(allow.split(", ")):
        answer = client.ask(method, path, body=b"ignored")
        assert (answer.status, answer["allow"]) == (405, allow)
        if method != "HEAD":
            assert_problem(answer, 405)
    answer = client.ask("OPTIONS", path)
    assert (answer.status, answer["allow"], answer.get("content-length")) == (204, allow, None)
    assert client.ask("GET", "/current").sequence == before


def test_options_of_the_whole_service(client: Client) -> None:
    """OPTIONS * tells the methods that some path takes."""
    answer = client.ask("OPTIONS", "*")
    assert (answer.status, answer["allow"]) == (204, "GET, HEAD, POST, OPTIONS")


@pytest.mark.parametrize("target", ["/nothing", "/NEXT", "/next/", "//next", "/%6eext", "/next;a", "/current/..", "*/"])
def test_an_unknown_path_is_not_found(service: Service, client: Client, target: str) -> None:
    """Only the exact paths are known; any other is 404, or 400 if it is no path, for every method."""
    before = service.sequence()
    answer = client.ask("POST", target)
    assert_problem(answer, 400 if target == "*/" else 404)
    assert service.sequence() == before


@pytest.mark.parametrize("path", STEPS)
@pytest.mark.parametrize(
    "field",
    [
        "Sec-Purpose: prefetch;prerender",
        "Purpose: preview",
        "X-Purpose: instant",
        "X-Moz: prefetch",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
        "Origin: http://example.com",
        "Origin: null",
    ],
)
def test_a_browser_does_not_step_unasked(client: Client, path: str, field: str) -> None:
    """A prefetch, or a request that a page of another origin caused, gets 403 on a step path and may read."""
    before = client.ask("GET", "/current").sequence
    for method in ("GET", "POST"):
        assert_problem(client.ask(method, path, field), 403)
    assert client.ask("GET", "/current", field).sequence == before
    assert client.ask("GET", "/readyz", field).status == 200


def test_our_own_page_and_programs_step(client: Client) -> None:
    """What Chrome, Firefox and Safari send with the forms of the home page, what a typed address sends, and curl."""
    host = dict(line.split(": ") for line in message("GET", "/").decode().split("\r\n")[1:-2])["Host"]
    old = [f"Origin: http://{host}", f"Referer: http://{host}/", "Content-Length: 0"]
    new = [*old, "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: navigate", "Sec-Fetch-User: ?1"]
    for method, fields in (
        ("POST", old),
        ("POST", new),
        ("POST", ["Origin: null", *new[1:]]),
        ("GET", ["Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate", "Sec-Fetch-User: ?1"]),
        ("POST", ["User-Agent: curl/8.0", "Accept: */*"]),
    ):
        before = client.ask("GET", "/current").sequence
        assert client.ask(method, "/next", *fields).sequence == before + 1


@pytest.mark.parametrize("target", ["/current", "/next"])
def test_each_form_of_a_value(client: Client, target: str) -> None:
    """A value comes as a bare number, as text, or as a document with all about it, as Accept says."""
    for accept, form in [("*/*", "application/json"), ("text/plain", "text/plain"), (DOCUMENT, DOCUMENT)]:
        answer = client.ask("GET", target, f"Accept: {accept}")
        digits = value(answer)
        place = {"sequence": answer.sequence, "position": answer.position}
        document = place | {"digits": len(digits), "value": digits}
        assert (answer.status, answer["content-type"], answer["vary"]) == (200, form, "Accept, Prefer")
        if form == DOCUMENT:
            assert answer.body.decode() == json.dumps(document, separators=(",", ":"))
        else:
            assert answer.body.decode() == digits + "\n"


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/next"), ("GET", "/reset"), ("GET", "/current"), ("HEAD", "/current")]
)
def test_a_minimal_answer_is_its_fields(client: Client, method: str, path: str) -> None:
    """Prefer: return=minimal gets 204, whatever Accept says, with the place in the fields."""
    before = client.ask("GET", "/current")
    answer = client.ask(method, path, "Prefer: return=minimal", f"Accept: {DOCUMENT}")
    assert (answer.status, answer["preference-applied"], answer["vary"]) == (204, "return=minimal", "Accept, Prefer")
    assert (answer.get("content-length"), answer.get("content-type")) == (None, None)
    assert answer.sequence == before.sequence + (path != "/current")
    assert "date" in dict(answer.fields)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_read_is_validated_by_its_tag(client: Client, method: str) -> None:
    """The strong tag of /current gets 304 until the state, or the form, is another."""
    tags = set()
    for form in (["Accept: text/plain"], ["Accept: */*"], [f"Accept: {DOCUMENT}"], ["Prefer: return=minimal"]):
        tag = client.ask("GET", "/current", *form)["etag"]
        tags.add(tag)
        assert tag.startswith('"')
        for condition in (tag, "W/" + tag, f'"a", {tag}', "*"):
            answer = client.ask(method, "/current", f"If-None-Match: {condition}", *form)
            assert (answer.status, answer["etag"], answer["cache-control"]) == (304, tag, "no-cache")
            assert (answer.position, answer["vary"]) == (client.ask("GET", "/current").position, "Accept, Prefer")
        assert client.ask(method, "/current", 'If-None-Match: "a"', *form).status in {200, 204}
    assert len(tags) == 4
    client.ask("POST", "/reset")
    conditions = ", ".join(tags)
    assert client.ask(method, "/current", f"If-None-Match: {conditions}").status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_read_may_depend_on_the_tag(client: Client, method: str) -> None:
    """If-Match on a read gets 412 unless it names the tag, strongly; and the answer has the tag that there is."""
    now = client.ask("GET", "/current")
    tag = now["etag"]
    for condition in (tag, f'"a,b", {tag}', "*"):
        assert client.ask(method, "/current", f"If-Match: {condition}").status == 200
    for condition in ('"nope"', f"W/{tag}", "nope", ""):
        answer = client.ask(method, "/current", f"If-Match: {condition}", f"If-None-Match: {tag}")
        assert (answer.status, answer["etag"], answer.sequence) == (412, tag, now.sequence)
        if method == "GET":
            assert_problem(answer, 412)
    assert client.ask(method, "/current", f"If-Match: {tag}", f"If-None-Match: {tag}").status == 304
    for path, statuses in (("/", [412, 304]), ("/openapi.json", [412, 304]), ("/readyz", [200, 200])):
        conditions = ('If-Match: "nope"', "If-None-Match: *")
        assert [client.ask(method, path, condition).status for condition in conditions] == statuses


@pytest.mark.parametrize("path", STEPS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_step_is_taken_on_a_condition_that_fails(client: Client, method: str, path: str) -> None:
    """It is judged, never ignored (RFC 9110, 13.1): a tag of no read names no state; If-Match: * always holds."""
    now = client.ask("GET", "/current")
    for condition in (
        "If-None-Match: *",
        f"If-None-Match: {now['etag']}",
        f"If-None-Match: W/{now['etag']}",
        f"If-Match: W/{now['etag']}",
        'If-Match: "nope"',
        'If-Match: "a", *',
        "If-Match:",
    ):
        failed = client.ask(method, path, condition)
        assert_problem(failed, 412)
        assert failed.sequence == now.sequence
    assert client.ask("GET", "/current").sequence == now.sequence
    assert (
        client.ask(method, path, "If-Match: *", 'If-None-Match: "a"', 'If-None-Match: "*"').sequence == now.sequence + 1
    )


@pytest.mark.parametrize("path", ["/", "/current", "/livez", "/readyz", "/openapi.json", "/nothing"])
def test_head_has_the_fields_of_get(client: Client, path: str) -> None:
    """HEAD answers like GET, Content-Length and all, without the body."""
    head, got = client.ask("HEAD", path), client.ask("GET", path)
    assert head.status == got.status
    assert dict(head.fields) | {"date": ""} == dict(got.fields) | {"date": ""}


REFUSED = [
    ("/next", [], 405),
    ("/nothing", [], 404),
    ("*", [], 400),
    ("/current", ['If-Match: "nope"'], 412),
    ("/current", ["Content-Length: 9999"], 413),
    ("/" + "a" * DEFAULT.request_line_bytes_max, [], 414),
    ("/current", ["Expect: tea"], 417),
    ("/current", ["A: " + "a" * DEFAULT.header_bytes_max], 431),
    ("/current", ["Transfer-Encoding: gzip, chunked"], 501),
]


@pytest.mark.parametrize(("target", "fields", "status"), REFUSED, ids=[str(each[2]) for each in REFUSED])
def test_head_of_an_error_has_no_body(service: Service, target: str, fields: list[str], status: int) -> None:
    """Whoever finds it, router, parser or limit: the length is that of the body that GET, or POST, gets."""
    answers = []
    for method in ("HEAD", "PUT" if status == 405 else "GET"):
        with service.connect() as client:
            answers.append(client.ask(method, target, *fields))
            client.end_sending()
            assert client.is_ended(), "there is a body"
    head, full = answers
    assert (head.status, full.status) == (status, status)
    assert head["content-length"] == full["content-length"] == str(len(full.body))


def test_head_of_another_version_has_no_body(service: Service) -> None:
    """The method is known, though the version is not."""
    with service.connect() as client:
        client.send(b"HEAD / HTTP/2.0\r\n\r\n")
        assert client.read("HEAD").status == 505
        assert client.is_ended()


def test_the_counts_add_up(client: Client) -> None:
    """/metrics is Prometheus text; its steps, groups and answers are those that there were."""

    def counts() -> dict[tuple[str, str], float]:
        families = text_string_to_metric_families(client.ask("GET", "/metrics").body.decode())
        samples = [sample for family in families for sample in family.samples]
        return {(sample.name, ",".join(sample.labels.values())): sample.value for sample in samples}

    before = counts()
    client.send(NEXT * 5 + message("GET", "/previous") + message("POST", "/reset") * 2 + message("GET", "/nothing"))
    answers = [client.read() for _ in range(9)]
    after = counts()
    more = {name: after[name] - before.get(name, 0) for name in after}
    steps = {step: more["pex_steps_total", step] for step in ("next", "previous", "reset")}
    assert steps == {"next": 5, "previous": 1, "reset": 2}
    assert (more["pex_sequence_total", ""], more["pex_group_steps_sum", ""]) == (8, 8)
    assert 1 <= more["pex_group_steps_count", ""] == more["pex_commit_seconds_count", ""] <= 8
    assert (more["pex_answers_total", "200"], more["pex_answers_total", "404"]) == (9, 1)
    assert (after["pex_position", ""], after["pex_sequence_total", ""]) == (0, answers[-2].sequence)
    assert (after["pex_ready", ""], after["pex_steps_waiting", ""]) == (1, 0)
    assert after["pex_connections_open", ""] >= 1
    for histogram in ("pex_group_steps", "pex_commit_seconds"):
        buckets = [number for (name, _), number in after.items() if name == histogram + "_bucket"]
        assert buckets == sorted(buckets)
        assert buckets[-1] == after[histogram + "_count", ""]


def test_the_pages_about_the_service(client: Client) -> None:
    """Probes say ok, the home page is HTML for a browser and text for others, and the description is OpenAPI 3.1."""
    assert [client.ask("GET", path).body for path in ("/livez", "/readyz")] == [b"ok\n", b"ok\n"]
    for accept, form in [("text/html,*/*;q=0.8", "text/html; charset=utf-8"), ("*/*", "text/plain")]:
        home = client.ask("GET", "/", f"Accept: {accept}")
        assert (home["content-type"], home["vary"]) == (form, "Accept")
        assert "frame-ancestors 'none'" in home["content-security-policy"]
        assert all(path in home.body.decode() for path in (*STEPS, *READS, str(home.position), str(home.sequence)))
    description = client.ask("GET", "/openapi.json")
    document = json.loads(description.body)
    assert description["content-type"] == "application/json"
    assert document["openapi"].startswith("3.1.")
    assert {*STEPS, *READS, "/events"} == set(document["paths"])
