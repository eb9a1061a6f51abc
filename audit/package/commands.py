"""`oncegate-audit export|proof`, put into the program; `verify` of a package is `verify_command`'s, called by `cli`."""

import typer

from audit.package.export_command import export_command
from audit.package.proof_command import proof_command


def add(app: typer.Typer) -> None:
    """Put the commands of this room into the program."""
    app.command("export")(export_command)
    app.command("proof")(proof_command)
