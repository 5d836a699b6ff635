"""Typing of the public names, as the type checkers of users see it."""
