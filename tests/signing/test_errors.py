"""What errors say."""

import pytest

from cutgate.signing import DuplicateName


@pytest.mark.parametrize("name", ["\ud800" * 1000, "行" * 1000, "\n" * 1000])
def test_message_of_a_hostile_name_is_short_and_ascii(name: str) -> None:
    error = DuplicateName(name)
    assert error.name == name
    assert str(error).isascii()
    assert str(error).isprintable()
    assert len(str(error)) < 500
