"""`python -m manual` writes the parts of docs/ that are made from the program."""

from manual.pages import write

write()
