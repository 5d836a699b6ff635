"""Looks up every pinned package in the advisories that PyPI publishes, by pip-audit."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
LOCKS: Final = sorted((ROOT / "requirements").glob("*.txt"))


def faults() -> str:
    """Audit all lock files; returns what is wrong, nothing if no vulnerability is known.

    pip-audit leaves out pins whose marker does not hold for the Python that runs it.
    """
    options = ["--disable-pip", "--require-hashes", "--format=json", "--progress-spinner=off"]
    files = [f"--requirement={path}" for path in LOCKS]
    done = subprocess.run(
        [sys.executable, "-m", "pip_audit", *options, *files], capture_output=True, text=True, check=False
    )
    try:
        report = json.loads(done.stdout)
    except ValueError:
        reason = (done.stderr.splitlines() or [f"exit status {done.returncode}"])[-1]
        return f"the vulnerability service cannot be reached, so nothing was audited: {reason}"
    return faults_of(report)


def faults_of(report: dict[str, Any]) -> str:
    """Vulnerabilities in a report of pip-audit, or why it says nothing; empty if all is well.

    A mirror without advisories answers 404 to everything. pip-audit then skips each package and reports success.
    """
    packages = report["dependencies"]
    skipped = [package["skip_reason"] for package in packages if "skip_reason" in package]
    if skipped or not packages:
        return (
            f"the vulnerability service answered for {len(packages) - len(skipped)} of {len(packages)} packages. "
            f"Behind a mirror it cannot be reached. {skipped[0] if skipped else ''}"
        )
    return "\n".join(
        f"{package['name']} {package['version']}: {known['id']}, fixed in {known['fix_versions']}"
        for package in packages
        for known in package["vulns"]
    )
