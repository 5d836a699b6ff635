"""Errors of models and of what runs them."""


class ModelUnavailable(Exception):
    """The model cannot be run here; the text says why and what to do. It shows before any picture is claimed."""
