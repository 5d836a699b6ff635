"""What the README and docs/ say is true: their blocks run, and the settings they name are the settings."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from gateway.courier.settings import CourierSettings
from jobs.settings import SECRETS_DIR_VARIABLE, JobSettings
from tests.stack import METRICS_PORTS, LiveStack
from worker.settings import WorkerSettings

CLIENT_VARIABLES = ("KEYCUT_URL", "KEYCUT_PUBLIC_KEY", "KEYCUT_PRIVATE_KEY", "KEYCUT_API_KEY")
FOLDERS = {"models_dir": "models", "cache_dir": "graphs"}
ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *ROOT.glob("docs/*.md"))}
BLOCK = re.compile(r"^```(bash|python)(?: not-run=\"([^\"]+)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    page: str
    language: str
    reason_not_run: str | None
    text: str

    def __str__(self) -> str:
        return f"{self.page}: {self.text.strip().splitlines()[0][:40]}"


BLOCKS = [Block(page, *match.groups()) for page, text in PAGES.items() for match in BLOCK.finditer(text)]


@pytest.fixture(scope="module")
def api_key(stack: LiveStack) -> str:
    """A key for the pages that speak of one."""
    command = ["-m", "keycut", "keys", "--data", str(stack.data), "add", "--runware", "--name", "docs", "--json"]
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=True)
    return str(json.loads(done.stdout)["api_key"])


@pytest.mark.parametrize("block", [block for block in BLOCKS if not block.reason_not_run], ids=str)
def test_block_runs(block: Block, stack: LiveStack, api_key: str, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "out").mkdir()
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "KEYCUT_URL": stack.url,
        "KEYCUT_PUBLIC_KEY": stack.public_key,
        "KEYCUT_PRIVATE_KEY": stack.private_key,
        "KEYCUT_API_KEY": api_key,
        **{name: stack.settings[name] for name in METRICS_PORTS},
    }
    command = ["bash", "-euo", "pipefail", "-c"] if block.language == "bash" else [sys.executable, "-c"]
    done = subprocess.run(
        [*command, block.text], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout or any((tmp_path / "out").iterdir())
    assert not re.search(r'"RetCode": ?[1-9]', done.stdout), done.stdout


def test_blocks_that_do_not_run_say_why() -> None:
    unrun = Counter(block.page for block in BLOCKS if block.reason_not_run)
    assert unrun == {"README.md": 4, "images.md": 4}
    assert sum(text.count("```bash") + text.count("```python") for text in PAGES.values()) == len(BLOCKS)


def settings_table() -> str:
    """The table of settings as the README has it, from the classes."""
    rows = ["| Setting | Default | What it does |", "|---|---|---|"]
    fields = CourierSettings.model_fields | WorkerSettings.model_fields
    for name, field in fields.items():
        text = " ".join((field.description or "").split())
        rows.append(f"| `KEYCUT_{name.upper()}` | {shown_default(name, field)} | {text} |")
    return "\n".join(rows)


def shown_default(name: str, field: FieldInfo) -> str:
    """A default as the table shows it."""
    if field.is_required():
        return "required"
    if field.default_factory is not None:
        return f"`~/.cache/keycut/{FOLDERS[name]}`"
    default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
    if isinstance(default, tuple):
        default = ",".join(map(str, default))
    return "unset" if default in (None, "") else f"`{default}`"


def test_the_table_of_settings_is_the_settings() -> None:
    assert settings_table() in README, f"the README should say\n\n{settings_table()}"


@pytest.mark.parametrize("page", PAGES)
def test_settings_that_are_named_exist(page: str) -> None:
    fields = CourierSettings.model_fields | WorkerSettings.model_fields
    known = {f"KEYCUT_{name.upper()}" for name in fields} | {SECRETS_DIR_VARIABLE, *CLIENT_VARIABLES}
    assert set(re.findall(r"KEYCUT_[A-Z0-9_]+", PAGES[page])) <= known


def test_every_setting_says_what_it_does() -> None:
    fields = CourierSettings.model_fields | WorkerSettings.model_fields
    assert not [name for name, field in fields.items() if not field.description]


def test_no_name_means_one_thing_to_the_gateway_and_another_to_the_worker() -> None:
    both = set(CourierSettings.model_fields) & set(WorkerSettings.model_fields)
    assert both == set(JobSettings.model_fields)
