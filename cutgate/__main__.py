"""`python -m cutgate` is the command `cutgate`."""

from cutgate.commands.cli import main

main(prog_name="cutgate")
