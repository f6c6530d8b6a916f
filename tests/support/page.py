"""The commands of docs/operations.md, as they stand there."""

import re
from pathlib import Path
from typing import Final

PAGE: Final = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")


def commands(heading: str, beginning: str) -> str:
    """Return the indented block below a heading that begins with these words."""
    [section] = re.findall(rf"^##+ {re.escape(heading)}\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    blocks = re.findall(r"(?:^    .*\n)+", section, re.MULTILINE)
    [block] = [each for each in blocks if each.strip().startswith(beginning)]
    return "\n".join(line.strip() for line in block.splitlines())


def of_backup(script: str, path: str) -> str:
    """Return the commands that restore a backup, with the path of this one."""
    script, count = re.subn(r"^backup=\S+", f"backup={path}", script, flags=re.MULTILINE)
    assert count == 1, script
    return script
