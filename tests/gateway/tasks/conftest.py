"""Fixtures: the use cases without HTTP."""

import pytest

from tests.gateway.tasks.use_cases import UseCases


@pytest.fixture
def cases() -> UseCases:
    return UseCases()
