"""`python -m keycut` is the command `keycut`."""

from keycut.cli import main

main(prog_name="keycut")
