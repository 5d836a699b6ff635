"""The package needs the standard library alone."""

import subprocess
import sys
from pathlib import Path

from cutgate import signing


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
