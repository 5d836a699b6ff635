"""Errors that stop a worker from offering a model. They show at start, before any picture is claimed."""


class ModelUnavailable(Exception):
    """The model cannot be run here; the text says why and what to do."""
