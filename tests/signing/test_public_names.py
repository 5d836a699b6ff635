"""The package's public surface is its list."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

from cutgate import signing


def test_all_names_what_is_public() -> None:
    public = {
        name
        for name, value in vars(signing).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert len(signing.__all__) == len(set(signing.__all__))
    assert set(signing.__all__) == public


def test_standard_library_only() -> None:
    code = "import sys, cutgate.signing; print(*{name.partition('.')[0] for name in sys.modules})"
    # -S leaves site-packages out, so that an import from there fails.
    loaded = subprocess.run(
        [sys.executable, "-S", "-c", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(signing.__file__).parents[2],
    ).stdout.split()
    assert set(loaded) <= sys.stdlib_module_names | {"cutgate", "__main__"}
