"""The demo's signed curl calls are true, and its sheets show what they say."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import examples.demo
from cutgate.local.data_folder import Account
from cutgate.local.stack import Stack
from tests.cutgate.conftest import Service
from tests.gateway.harness import PRIVATE_KEY, PUBLIC_KEY
from tests.gateway.picture_files import png
from tests.pictures.tiny_network import tiny_environment
from tests.servers.stack import ROOT


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(examples.demo, "OUT", tmp_path)
    return examples.demo


@pytest.fixture
def one_photo(demo: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cup.png").write_bytes(png(60, 40))
    monkeypatch.setattr(demo, "EXAMPLES", tmp_path / "photos")
    monkeypatch.setattr(demo, "DATA", tmp_path / "data")
    monkeypatch.setattr(sys, "argv", ["demo.py"])


@pytest.mark.long
@pytest.mark.usefixtures("one_photo")
def test_the_demo(
    demo: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in tiny_environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    demo.main()
    made = {path.name for path in tmp_path.glob("*.png")}
    assert made == {"cup.cutout.png", "cup.mask.png", "cup.sheet.png", "overview.png"}
    printed = capsys.readouterr().out
    assert len(re.findall(r"cup.png (?:cutout|mask) .*\d\.\d\d", printed)) == 2
    assert re.search(r"Done in \d+ s, with the start of the service\.\n", printed)


def test_make_has_commands_for_every_target_that_it_names() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    [targets] = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    for target in targets.split():
        done = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=True)
        assert done.stdout.strip(), target
    modules = re.findall(r"\$\(BIN\)/python -m ((?:benchmarks|cutgate|docs|tests)[\w.]*)", makefile)
    assert not [name for name in modules if importlib.util.find_spec(name) is None]


@pytest.mark.needs("curl")
def test_the_calls_to_paste_answer_with_one_task(demo: ModuleType, service: Service, tmp_path: Path) -> None:
    photo = tmp_path / "photo's name.png"
    photo.write_bytes(png())
    for call in demo.signed_calls(Stack(service.url, Account(PUBLIC_KEY, PRIVATE_KEY, "api-key")), photo):
        assert PRIVATE_KEY not in call
        done = subprocess.run(call, shell=True, check=True, capture_output=True, text=True)
        assert '"RetCode":0' in done.stdout.replace(" ", "")
    assert service.gateway.store.waiting(service.gateway.lane) == 1
