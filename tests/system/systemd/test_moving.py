"""Backups, and the way to another host: the commands of docs/operations.md, pasted as they stand."""

import time

import pytest

from support.page import commands, of_backup
from support.show import Show
from system.systemd.installed import Installed

pytestmark = pytest.mark.timeout(900)


def test_a_backup_is_restored(service: Installed, show: Show) -> None:
    """The commands of operations.md, pasted as they stand, twice: the walk is back where it was."""
    page = "Back up, and restore"
    sequence = service.sequence()
    service.shell(commands(page, "pexservice journal backup"))
    [backup] = (service.host.root / "var/backups").glob("pexservice-*")
    for _ in range(2):
        assert service.ask("/next", "--request", "POST")
        service.shell(of_backup(commands(page, "systemctl stop"), f"/var/backups/{backup.name}"))
        assert service.sequence() == sequence
        time.sleep(1.1)  # What is put aside is named by the second.
    show(f"sequence {sequence}, twice")


def test_the_walk_moves_to_another_machine(service: Installed, show: Show) -> None:
    """The commands of operations.md: the new machine, on which `make all` began another walk, goes on with the old."""
    page = "Move to another machine"
    put_aside, start = commands(page, "systemctl stop"), commands(page, "chown")
    stop, copy = commands(page, "systemctl disable").splitlines()
    sequence = service.sequence()
    service.shell(f"{stop}\ncp -a /var/lib/pexservice/. /srv/old\n{put_aside}")
    service.host.run("systemctl", "enable", "--now", "pexservice.socket", "pexservice.service")
    assert service.sequence() == 0
    assert service.ask("/next", "--request", "POST") == "1"
    time.sleep(1.1)
    copy = copy.replace("tar -C /var/lib/pexservice -cf", "tar -C /srv/old -cf").replace("ssh new-machine", "sh -c")
    service.shell(f"{put_aside}\n{copy}\n{start}")
    assert service.sequence() == sequence
    assert service.ask("/next", "--request", "POST")
    show(f"sequence {sequence} goes on")
