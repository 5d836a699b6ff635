"""Tests of the README and docs/: their blocks run, what they name exists, generated parts are fresh."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cutgate.courier.settings import CourierSettings
from cutgate.gateway.picpik.errors import ROWS as PICPIK_ROWS
from cutgate.gateway.runware.messages.errors import ROWS as RUNWARE_ROWS
from cutgate.jobs.settings import SECRETS_DIR_VARIABLE, JobSettings
from cutgate.worker.settings import WorkerSettings
from docs.manual.advice import PICPIK_ADVICE, PICPIK_WHEN, RUNWARE_ADVICE, RUNWARE_WHEN
from docs.manual.command_line import lists as command_line_lists
from docs.manual.command_line import options_of_all
from docs.manual.pages import PARTS, write
from docs.manual.settings import FIELDS, GROUPS, settings_list, variable
from tests.deploy.compose_model import variables
from tests.deploy.engine.engine import FOLDER_VARIABLE
from tests.servers.redis_server import SERVERS_VARIABLE
from tests.servers.stack import METRICS_PORTS, LiveStack

CLIENT_VARIABLES = ("CUTGATE_URL", "CUTGATE_PUBLIC_KEY", "CUTGATE_PRIVATE_KEY", "CUTGATE_API_KEY")
SET_UP = 'eval "$(cutgate env)"'
ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FILES = (*ROOT.glob("*.md"), *DOCS.glob("*.md"))
PAGES = {path.name: path.read_text(encoding="utf-8") for path in FILES}
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


def set_up_before(block: Block) -> str:
    """What the page has had its reader set up before."""
    before = PAGES[block.page].partition(block.text)[0]
    return f"{SET_UP}\n" if f"\n{SET_UP}" in before else ""


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(block, marks=[] if block.page == "README.md" else [pytest.mark.long])
        for block in BLOCKS
        if not block.reason_not_run
    ],
    ids=str,
)
@pytest.mark.timeout(300)  # the first one starts the stack
def test_block_runs(block: Block, stack: LiveStack, tmp_path: Path) -> None:
    """As for a reader in whose default data folder a stack runs."""
    for folder in ("examples", "deploy"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    (tmp_path / "out").mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "cutgate").symlink_to(stack.data)
    kept = {name: value for name, value in os.environ.items() if name not in CLIENT_VARIABLES}
    environment = kept | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "XDG_DATA_HOME": str(tmp_path / "home"),
        **{name: stack.settings[name] for name in METRICS_PORTS},
    }
    shell = ["bash", "-euo", "pipefail", "-c"]
    command = shell if block.language == "bash" else [sys.executable, "-c"]
    done = subprocess.run(
        [*shell, f'{set_up_before(block)}exec "$@"', "bash", *command, block.text],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout or any((tmp_path / "out").iterdir())
    assert not re.search(r'"RetCode": ?[1-9]', done.stdout), done.stdout


def test_every_block_is_run_or_says_why_not() -> None:
    assert sum(text.count("```bash") + text.count("```python") for text in PAGES.values()) == len(BLOCKS)


def test_what_a_program_writes_is_up_to_date(tmp_path: Path) -> None:
    for page in PARTS:
        shutil.copy(DOCS / page, tmp_path)
    write(tmp_path)
    stale = [page for page in PARTS if (tmp_path / page).read_text(encoding="utf-8") != PAGES[page]]
    assert not stale, "run python -m docs.manual"


def test_every_setting_says_what_it_does_in_one_list() -> None:
    assert not [name for name, field in FIELDS.items() if not field.description]
    lists = "\n".join(settings_list(group) for group in GROUPS)
    shown = re.findall(r"^- `(CUTGATE_\w+)", lists, re.MULTILINE)
    assert sorted(shown) == sorted(map(variable, FIELDS))
    assert not re.search(r"=(True|False)`", lists), "what a variable holds is `true`"


def test_there_is_advice_on_every_code_and_on_no_other() -> None:
    assert set(PICPIK_ADVICE) == {(row.ret_code, row.status) for row in PICPIK_ROWS.values()}
    assert set(RUNWARE_ADVICE) == {row.code.format(word="<Field>") for row in RUNWARE_ROWS.values()}
    assert set(PICPIK_WHEN) <= set(PICPIK_ROWS)
    assert set(RUNWARE_WHEN) <= set(RUNWARE_ROWS)


def named(pattern: str) -> Iterator[tuple[Path, str]]:
    """What pages name in one way, with the page."""
    for path in FILES:
        yield from ((path, name) for name in re.findall(pattern, PAGES[path.name]))


def test_settings_files_and_links_that_are_named_exist() -> None:
    settings = {variable(name) for name in FIELDS} | {SECRETS_DIR_VARIABLE, *CLIENT_VARIABLES, *variables()}
    settings |= {FOLDER_VARIABLE, SERVERS_VARIABLE}
    assert not [(path.name, name) for path, name in named(r"CUTGATE_[A-Z0-9_]+") if name not in settings]
    folders = "benchmarks|courier|deploy|docs|examples|gateway|jobs|cutgate|signing|tests|worker"
    files = named(rf"`((?:{folders})/(?:[\w./-]*(?:/|\.\w+))?)`")
    assert not [(path.name, name) for path, name in files if not (ROOT / name).exists()]
    links = named(r"\]\((?!\w+:|#)([^)#]+)")
    assert not [(path.name, link) for path, link in links if not (path.parent / link).exists()]


def test_no_page_installs_a_package_that_no_index_has() -> None:
    told = re.compile(r"pip3? install [^\n`]*\bcutgate\b")
    assert not [page for page, text in PAGES.items() if told.search(text)]


def test_every_command_and_every_option_has_its_line() -> None:
    page = PAGES["command-line.md"]
    assert sorted(re.findall(r"^- `cutgate ([a-z]+)[^`]*`: ", page, re.MULTILINE)) == sorted(options_of_all())
    shown = "\n".join(command_line_lists().values())
    unshown = {
        (name, option)
        for name, options in options_of_all().items()
        for option in options
        if not re.search(rf"`{option}[` ]", shown)
    }
    assert not unshown


def test_no_name_means_one_thing_to_the_gateway_and_another_to_the_worker() -> None:
    both = set(CourierSettings.model_fields) & set(WorkerSettings.model_fields)
    assert both == set(JobSettings.model_fields)
