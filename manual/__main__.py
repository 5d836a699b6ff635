"""`python -m manual` writes the parts of docs/ that are made from the program."""

from __future__ import annotations

from manual.pages import write

write()
