"""Tests are where their names say: a module's in the folder of its package, by its name."""

import ast
from pathlib import Path
from typing import Final

_TESTS: Final = Path(__file__).parents[1]
_SOURCE: Final = _TESTS.parent / "src" / "pexservice"
_ELSEWHERE: Final = {
    # A command is tried as people run it.
    "__main__.py": "service/test_cli.py",
    "cli/__init__.py": "service/test_cli.py",
    "cli/bench.py": "service/test_bench.py",
    "cli/demo.py": "service/test_demo.py",
    "trial/bench.py": "service/test_bench.py",
    "trial/child.py": "service/test_demo.py",
    "trial/demo.py": "service/test_demo.py",
    "trial/replicas.py": "service/test_demo_replicas.py",
    "trial/server.py": "service/test_demo_replicas.py",
    # What was asked, and by what it is judged.
    "trial/operation.py": "unit/trial/test_linearizability.py",
    "cli/asking.py": "service/test_status.py",
    "cli/ending.py": "service/test_wrong_usage.py",
    "cli/export.py": "service/test_journal_commands.py",
    "cli/frame.py": "unit/cli/test_help.py",
    "cli/history.py": "service/test_journal_commands.py",
    "cli/import_original.py": "service/test_cli.py",
    "cli/journal.py": "service/test_journal_commands.py",
    "cli/loading.py": "service/test_cli.py",
    "cli/output.py": "service/test_output.py",
    "cli/serve.py": "service/test_start_refused.py",
    "cli/status.py": "service/test_status.py",
    "cli/server_history.py": "service/test_replicas_history.py",
    "cli/store.py": "service/test_replicas.py",
    # What is about a process is tried on one, and what is about several, on them.
    "process/front.py": "service/test_service_http.py",
    "process/leading.py": "service/test_workers.py",
    "process/logs.py": "service/test_terminal.py",
    "process/service.py": "service/test_service_ends.py",
    "process/signals.py": "service/test_signals.py",
    "process/start.py": "service/test_start_refused.py",
    "process/systemd.py": "service/test_systemd.py",
    "process/exposition.py": "system/watching/test_exposition.py",
    # What a disk can do to a writer.
    "stores/journal/errors.py": "unit/stores/journal/test_history_writer.py",
    # What needs a server is tried on one.
    "stores/choice.py": "service/test_replicas.py",
    "stores/postgres/history.py": "service/test_replicas_history.py",
    "stores/postgres/holding.py": "service/test_replicas.py",
    "stores/postgres/schema.py": "service/test_replicas.py",
    "stores/postgres/session.py": "service/test_postgres_faults.py",
    "stores/postgres/store.py": "service/test_postgres_store.py",
    # Each machine is held to what the core relies on.
    "walk/machine.py": "unit/core/test_machine.py",
    # Parts of one thing.
    "core/caller.py": "unit/core/test_group.py",
    "disk/aio.py": "unit/disk/test_syncer.py",
    "http/action.py": "unit/http/test_resource.py",
    "http/endpoint.py": "unit/http/test_router.py",
    "stores/journal/options.py": "unit/stores/journal/test_journal.py",
    "stores/journal/flight.py": "unit/stores/journal/test_journal.py",
    "stores/journal/segment.py": "unit/stores/journal/test_ring.py",
    "walk/forms.py": "unit/walk/test_endpoints.py",
}


def _has_logic(path: Path) -> bool:
    """Tell whether a function in it does more than declare what others do."""
    for function in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in function.body:
                if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
                    return True
    return False


def test_every_module_has_a_test_of_its_name() -> None:
    """Or is in the list of those that are tested elsewhere, which holds no other."""
    modules = {path.relative_to(_SOURCE) for path in _SOURCE.rglob("*.py") if _has_logic(path)}
    without = {
        str(module) for module in modules if not (_TESTS / "unit" / module.with_name(f"test_{module.name}")).exists()
    }
    assert without == set(_ELSEWHERE)
    for path in _ELSEWHERE.values():
        assert (_TESTS / path).exists(), path


def test_every_folder_of_unit_tests_is_a_package() -> None:
    """What is moved or renamed in the source is moved in the tests."""
    folders = {path.parent.relative_to(_TESTS / "unit") for path in (_TESTS / "unit").rglob("test_*.py")}
    assert not [str(folder) for folder in folders if not (_SOURCE / folder / "__init__.py").exists()]


def test_no_two_files_of_tests_share_a_name() -> None:
    """A name finds one file."""
    names = [path.name for path in _TESTS.rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


def test_no_file_is_long() -> None:
    """One sitting is enough to read any file, of the product and of what proves it."""
    ours = (
        path
        for root in ("src", "tests", "benchmarks", "pages", "release")
        for path in (_TESTS.parent / root).rglob("*.py")
    )
    assert not [str(path) for path in ours if path.read_text("utf-8").count("\n") > 300]


def test_every_test_states_a_rule() -> None:
    """In its docstring, and what a file is about in the file's."""
    for path in _TESTS.rglob("test_*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        tests = [node for node in functions if node.name.startswith("test_")]
        assert all(ast.get_docstring(node) for node in (tree, *tests)), path
