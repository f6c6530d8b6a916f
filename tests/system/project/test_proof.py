"""`make proof`: claims, what shows them, and what that said."""

import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from release import proof
from release.claims import CLAIMS, COMMANDS, Command

_CHECKOUT = Path(__file__).parents[3]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a file and a page, of which the claims are shown by one command."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text("A page.\n")
    (tmp_path / "code").write_text("echo 3 passed\n")
    (tmp_path / ".gitignore").write_text("/.proof/\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    _git("init", "--quiet")
    _commit()
    _demand(monkeypatch, "sh ./code")
    return tmp_path


def _demand(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setattr(proof, "COMMANDS", {command: Command(r"^\d+ passed", "a moment")})
    monkeypatch.setattr(proof, "CLAIMS", [type(CLAIMS[0])("It holds.", "page.md", command)])


def _git(*arguments: str) -> str:
    name = ["-c", "user.name=a", "-c", "user.email=a@localhost"]
    return subprocess.run(["git", *name, *arguments], capture_output=True, text=True, check=True).stdout.strip()


def _commit() -> str:
    _git("add", ".")
    _git("commit", "--quiet", "--message", "Change")
    return _git("rev-parse", "--short", "HEAD")


def _prove(*arguments: str) -> tuple[int, str]:
    ended = CliRunner().invoke(proof.main, arguments)
    return ended.exit_code, ended.output


def test_what_a_command_said_is_on_the_page(checkout: Path) -> None:
    """With the commit that it said it of."""
    assert _prove()[0] == 0
    commit = _git("rev-parse", "--short", "HEAD")
    assert re.search(rf"\| `sh \./code` \| .* \| 3 passed \| {commit} \|", (checkout / "docs/proof.md").read_text())


def test_the_page_is_written_with_each_result(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next command may look at it, and the run may be cut off there."""
    one, other = "sh ./code", "cat docs/proof.md"
    monkeypatch.setattr(
        proof, "COMMANDS", {each: Command(r"\d+ passed \||^\d+ passed", "a moment") for each in (one, other)}
    )
    monkeypatch.setattr(proof, "CLAIMS", [type(CLAIMS[0])("It holds.", "page.md", each) for each in (one, other)])
    assert _prove()[0] == 0
    assert proof.load(checkout)[other].said == ["3 passed |"]


def test_only_what_was_asked_for_is_judged(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others may be shown another time; and a word that is in no command is told, with those that there are."""
    one, other = "sh ./code", "sh ./code # again"
    monkeypatch.setattr(proof, "COMMANDS", {each: Command(r"^\d+ passed", "a moment") for each in (one, other)})
    monkeypatch.setattr(proof, "CLAIMS", [type(CLAIMS[0])("It holds.", "page.md", each) for each in (one, other)])
    assert _prove("--only", "again")[0] == 0
    assert "not run yet" in (checkout / "docs/proof.md").read_text()
    status, told = _prove("--only", "nothing")
    assert status == 2
    assert f"No command has 'nothing' in it. There are: {one}, {other}" in told


def test_what_is_known_of_the_code_is_not_run_again(checkout: Path) -> None:
    """Also if pages have changed since; but if anything else has."""
    _prove()
    (checkout / "docs" / "page.md").write_text("Another page.\n")
    _commit()
    assert "known of" in _prove()[1]
    (checkout / "code").write_text("echo 4 passed\n")
    _commit()
    assert "4 passed" in _prove()[1]


def test_a_failure_is_written_down_and_tried_again(checkout: Path) -> None:
    """A claim that does not hold is the end of the command, too."""
    (checkout / "code").write_text("echo 2 passed; exit 3\n")
    _commit()
    assert _prove()[0] == 1
    assert "**failed (3)** 2 passed" in (checkout / "docs/proof.md").read_text()
    assert "known of" not in _prove()[1]


def test_only_a_commit_is_proved(checkout: Path) -> None:
    """What is not committed cannot be told by its name."""
    (checkout / "code").write_text("echo 5 passed\n")
    status, said = _prove()
    assert status != 0
    assert "Commit first" in said
    assert not (checkout / "docs/proof.md").exists()


def test_a_command_that_says_nothing_of_what_it_should_is_no_proof(checkout: Path) -> None:
    """Its words have changed, and nobody told the table."""
    (checkout / "code").write_text("echo fine\n")
    _commit()
    status, said = _prove()
    assert status != 0
    assert "does not say" in said


def test_the_page_is_what_the_results_say() -> None:
    """Nobody edits it by hand."""
    held = proof.load(_CHECKOUT)
    assert (_CHECKOUT / proof.PAGE).read_text("utf-8") == proof.page(held)


def test_claims_are_shown_by_commands_that_are_there() -> None:
    """Of which none shows nothing; and pages that explain them are there."""
    assert {each.command for each in CLAIMS} == set(COMMANDS)
    targets = set(re.findall(r"^([a-z][a-z -]*):", (_CHECKOUT / "Makefile").read_text("utf-8"), re.MULTILINE))
    names = {name for line in targets for name in line.split()}
    assert {command.split()[1] for command in COMMANDS} <= names
    assert all((_CHECKOUT / "docs" / each.page).exists() for each in CLAIMS)
