"""Where the commands of the box office begin."""

from pexservice.process.beginning import begin

begin()  # Before all other imports: from here on signals are heard.

from pexservice.cli.frame import command_line, run  # noqa: E402
from tickets.app import APPLICATION  # noqa: E402

run(command_line("tickets", APPLICATION.version, "Sell each seat once, durably."), lambda: APPLICATION)
