"""The parts of docs/ that are made from the program; `python -m docs.manual` writes them."""
