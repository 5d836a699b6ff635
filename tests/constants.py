"""Constants of the product that a test's process has otherwise: `python -m tests.constants MODULE ARGUMENT…`."""

import importlib
import json
import os
import runpy
import sys
from collections.abc import Mapping
from typing import Final

VARIABLE: Final = "TEST_CONSTANTS"


def environment_of(constants: Mapping[str, object]) -> dict[str, str]:
    """What tells a process of them; each is named `module:NAME`."""
    return {VARIABLE: json.dumps(constants)}


def change_constants() -> None:
    """Give the constants that the environment names their values."""
    for name, value in json.loads(os.environ.get(VARIABLE, "{}")).items():
        module, _, constant = name.partition(":")
        found = importlib.import_module(module)
        assert hasattr(found, constant), name
        setattr(found, constant, value)


if __name__ == "__main__":
    change_constants()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
