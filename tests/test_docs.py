"""What the README says is true: its blocks run, and its table of settings is the settings."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from gateway.settings import GatewaySettings
from tests.stack import LiveStack
from worker.settings import WorkerSettings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(bash|python)(?: not-run=\"([^\"]+)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    language: str
    reason_not_run: str | None
    text: str

    def __str__(self) -> str:
        return self.text.strip().splitlines()[0][:40]


BLOCKS = [Block(*match.groups()) for match in BLOCK.finditer(README)]


@pytest.mark.parametrize("block", [block for block in BLOCKS if not block.reason_not_run], ids=str)
def test_readme_block_runs(block: Block, stack: LiveStack, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "out").mkdir()
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "KEYCUT_URL": stack.url,
        "KEYCUT_PUBLIC_KEY": stack.public_key,
        "KEYCUT_PRIVATE_KEY": stack.private_key,
    }
    command = ["bash", "-euo", "pipefail", "-c"] if block.language == "bash" else [sys.executable, "-c"]
    done = subprocess.run(
        [*command, block.text], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"RetCode":0' in done.stdout.replace(" ", "") or any((tmp_path / "out").iterdir())


def test_blocks_that_do_not_run_say_why() -> None:
    reasons = [block.reason_not_run for block in BLOCKS if block.reason_not_run]
    assert len(reasons) == 4
    assert README.count("```bash") + README.count("```python") == len(BLOCKS)


def settings_of(*classes: type[BaseSettings]) -> dict[str, str]:
    """Names of all settings with their defaults as the table writes them."""
    rows = {}
    for settings in classes:
        for name, field in settings.model_fields.items():
            rows[f"KEYCUT_{name.upper()}"] = "required" if field.is_required() else str(field.default)
    return rows


def test_every_setting_has_a_row() -> None:
    table = dict(re.findall(r"^\| `(KEYCUT_\w+)` \| (?:`([^`]*)`|[^|]*) \|", README, re.MULTILINE))
    assert set(table) - {"KEYCUT_SECRETS_DIR"} == set(settings_of(GatewaySettings, WorkerSettings))
