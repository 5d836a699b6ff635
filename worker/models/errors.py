"""Errors of models and of what runs them."""

from cutgate.jobs.errors import ServiceUnavailable


class ModelUnavailable(Exception):
    """The model cannot be run here; the text says why and what to do. It shows before any picture is claimed."""


class InferenceUnavailable(ServiceUnavailable, ModelUnavailable):
    """The inference server is away or busy; trying again later helps."""
