"""Tests of what `make compose-check` says where no engine can be had."""

import re
from pathlib import Path

import pytest

from tests.deploy.engine.engine import some_engine


def test_without_an_engine_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    packages = re.escape("apt-get install docker.io docker-compose docker-buildx")
    with pytest.raises(AssertionError, match=packages), some_engine():
        pass
