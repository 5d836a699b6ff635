"""A courier's parts, beside a server outside."""

from collections.abc import Iterator
from typing import Final

import pytest

from tests.courier.outside import OutsideServer, serving
from tests.courier.parts import CourierParts

HERE: Final = "127.0.0.1"


@pytest.fixture
def server() -> Iterator[OutsideServer]:
    """A server on the one address that the parts allows; a test gives it scripts."""
    with serving(OutsideServer(HERE, {})) as server:
        yield server


@pytest.fixture
def parts(server: OutsideServer) -> CourierParts:
    return CourierParts(server)
