"""How a replica gets to its server: TLS, passwords and poolers, as docs/replicas.md has them."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pexservice.stores.postgres.rules import SESSION
from pexservice.walk.machine import WALK
from support import postgres
from support.postgres import Server
from support.process import environment, free_port, run, serving, wait_until
from support.unheard import accepts

pytestmark = pytest.mark.skipif(not postgres.is_there(), reason="needs PostgreSQL, and root")

_PASSWORD = "correct-horse"


def _authority(directory: Path, name: str) -> Path:
    """Make a certificate that vouches for itself and for others, and return it; its key lies beside it."""
    made = directory / f"{name}.crt"
    _openssl("req", "-x509", "-subj", f"/CN={name}", "-keyout", f"{directory / name}.key", "-out", str(made))
    return made


def _openssl(command: str, *arguments: str) -> None:
    options = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"] if command == "req" else []
    done = subprocess.run(["openssl", command, *options, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[tuple[Server, Path]]:
    """Give a server that takes one user by TLS and a password alone, known as localhost, and who vouches for it."""
    authority = _authority(tmp_path, "authority")
    _openssl("req", "-subj", "/CN=server", "-keyout", str(tmp_path / "server.key"), "-out", str(tmp_path / "asked"))
    (tmp_path / "names").write_text("subjectAltName=DNS:localhost")
    signed = ["-CA", str(authority), "-CAkey", str(tmp_path / "authority.key"), "-extfile", str(tmp_path / "names")]
    _openssl("x509", "-req", "-in", str(tmp_path / "asked"), "-out", str(tmp_path / "server.crt"), *signed)
    with postgres.server() as server:
        for name in ("server.crt", "server.key"):
            shutil.copy(tmp_path / name, server.data)
            shutil.chown(server.data / name, postgres.USER, postgres.USER)
            (server.data / name).chmod(0o600)
        server.ask(f"CREATE ROLE pex LOGIN PASSWORD '{_PASSWORD}'")
        server.ask("CREATE DATABASE pex OWNER pex")
        server.ask("ALTER SYSTEM SET ssl = on")
        rules = server.data / "pg_hba.conf"
        rules.write_text(f"hostssl pex pex all scram-sha-256\nhostnossl all {postgres.USER} all trust\n")
        server.ask("SELECT pg_reload_conf()")
        yield server, authority


def _passfile(path: Path, server: Server, mode: int = 0o600) -> str:
    path.write_text(f"*:{server.port}:pex:pex:{_PASSWORD}\n")
    path.chmod(mode)
    return str(path)


def test_a_replica_needs_no_more_than_a_user_with_a_password_and_a_certificate(
    secured: tuple[Server, Path], tmp_path: Path
) -> None:
    """No superuser: it makes the schema, and serves, by TLS that is verified, with the password in a file."""
    server, authority = secured
    url = f"postgresql://pex@localhost:{server.port}/pex?sslmode=verify-full"
    variables = {"PGPASSFILE": _passfile(tmp_path / "pgpass", server), "PGSSLROOTCERT": str(authority)}
    assert run("store", "init", "--one-server", url, **variables).returncode == 0
    with serving(None, "--store", url, user=None, **variables) as service, service.connect() as client:
        assert client.ask("POST", "/next").sequence == 1
        encrypted = server.ask(
            "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'pex'"
        )
        assert encrypted == "t"
        assert _PASSWORD not in service.log


def test_a_server_is_not_taken_on_trust(secured: tuple[Server, Path], tmp_path: Path) -> None:
    """Another name, another authority, no TLS, no password, a password that others may read: one sentence each."""
    server, authority = secured
    full = f"postgresql://pex@localhost:{server.port}/pex?sslmode=verify-full"
    known = {"PGPASSFILE": _passfile(tmp_path / "pgpass", server), "PGSSLROOTCERT": str(authority)}
    assert run("store", "init", "--one-server", full, **known).returncode == 0
    open_to_all = _passfile(tmp_path / "open", server, 0o644)
    cases = [
        (full.replace("localhost", "127.0.0.1"), known, 69, "127.0.0.1"),
        (full, known | {"PGSSLROOTCERT": str(_authority(tmp_path, "stranger"))}, 69, "certificate verify failed"),
        (full.replace("verify-full", "disable"), known, 77, "does not permit it"),
        (full, known | {"PGPASSFILE": str(tmp_path / "nowhere")}, 77, "password"),
        (full, known | {"PGPASSFILE": open_to_all}, 77, "has group or world access"),
    ]
    for url, variables, status, words in cases:
        refused = run("store", "check", url, **variables)
        assert (refused.returncode, words in refused.stderr) == (status, True), (url, refused)
        assert len(refused.stderr.strip().splitlines()) == 1, refused.stderr


@pytest.mark.skipif(shutil.which("pgbouncer") is None, reason="pgbouncer is not installed; make test-deps brings it")
@pytest.mark.parametrize("mode", ["session", "transaction"])
@pytest.mark.parametrize("dropped", ["", f"ignore_startup_parameters = {','.join(SESSION)}"], ids=["strict", "lenient"])
def test_a_pooler_that_drops_settings_is_refused(mode: str, dropped: str) -> None:
    """PgBouncer refuses our settings, or is told to drop them, and is refused itself: with one sentence."""
    url = postgres.shared().database(WALK)
    matched = re.fullmatch(r"postgresql://(\w+)@([\d.]+):(\d+)/(\w+)", url)
    assert matched is not None
    user, host, port, database = matched.groups()
    pooler, directory = free_port(), postgres.shared().top  # Which the user of the pooler may read.
    users, configuration = directory / "users", directory / "pgbouncer.ini"
    users.write_text(f'"{user}" ""\n')
    configuration.write_text(
        f"[databases]\n{database} = host={host} port={port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
        f"listen_port = {pooler}\nunix_socket_dir =\nauth_type = trust\nauth_file = {users}\npool_mode = {mode}\n"
        f"{dropped}\n"
    )
    program = ["pgbouncer", str(configuration)]
    with subprocess.Popen(program, user=postgres.USER, stderr=subprocess.DEVNULL, env=environment()) as process:
        try:
            wait_until(lambda: accepts(("127.0.0.1", pooler)))
            refused = run("store", "check", f"postgresql://{user}@127.0.0.1:{pooler}/{database}")
        finally:
            process.kill()
    assert refused.returncode == 69, refused
    assert ("a pooler that drops settings" if dropped else "unsupported startup parameter") in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1


def test_a_server_that_is_not_what_the_url_asks_for_is_passed_over() -> None:
    """One that `target_session_attrs` does not match is told in a sentence, and the next host is tried."""
    shared = postgres.shared()
    for command in (["init", "--one-server"], ["check"]):
        refused = run("store", *command, f"{shared.url}/postgres?target_session_attrs=standby")
        assert (refused.returncode, "target_session_attrs" in refused.stderr) == (69, True), refused
    with postgres.server() as primary:
        standby = Server()
        try:
            standby.make_standby(primary, "second")
            both = f"{standby.url},{primary.address}:{primary.port}/postgres?target_session_attrs=primary"
            made = run("store", "init", "--one-server", both)
            assert (made.returncode, made.stderr) == (0, "")
        finally:
            standby.remove()
