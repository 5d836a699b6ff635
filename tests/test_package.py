"""Tests of the wheel: one package, a client and a command that need little and clash with nothing."""

import os
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from cutgate.distribution import NAME
from tests.test_layers import PARTS, ROOT, own_modules

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"
DATA = {
    "cutgate/py.typed",
    "cutgate/jobs/ledger/lua/items/claim.lua",
    "cutgate/gateway/playground/static/samples/cup.jpg",
    "cutgate/gateway/playground/static/service/errors.js",
    "cutgate/worker/models/graphs/isnet-general-use-fp16.ranges.json",
}
USE = """
import sys
from cutgate import AsyncClient, Client, Settings
with Client("http://127.0.0.1:9", "public", "private") as client:
    print(client)
foreign = {"signing", "jobs", "gateway", "worker", "courier"} & set(sys.modules)
assert not foreign, foreign
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the working tree, so that nothing is left there."""
    source = tmp_path_factory.mktemp("source")
    copy_sources(source)
    return build(source, tmp_path_factory.mktemp("wheel"))


def copy_sources(source: Path) -> None:
    """Copy what is packed; links stay links."""
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, source)
    for name in PARTS:
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))


def build(source: Path, made: Path) -> Path:
    """Build the wheel of a source folder into another folder."""
    command = [sys.executable, "-W", "ignore", "-c", BUILD, str(made)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    [built] = made.glob("*.whl")
    return built


def files_of(wheel: Path) -> dict[str, int]:
    """Checksums by names, without the list that holds checksums itself."""
    return {
        info.filename: info.CRC for info in zipfile.ZipFile(wheel).infolist() if info.filename[-6:] != "RECORD"
    }


def git(*words: str, folder: Path) -> None:
    """Run git in a folder, without the settings of this machine."""
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    who = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
    subprocess.run(["git", *who, *words], cwd=folder, env=os.environ | settings, check=True, capture_output=True)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with what is packed."""
    folder = tmp_path_factory.mktemp("repository")
    copy_sources(folder)
    git("init", "--quiet", folder=folder)
    git("add", ".", folder=folder)
    git("commit", "--quiet", "--message", "all", folder=folder)
    return folder


def unpacked_zip(repository: Path, folder: Path) -> None:
    """As a browser's download is unpacked by programs that know no links, pip's among them."""
    git("archive", "--format=zip", f"--output={folder / 'all.zip'}", "HEAD", folder=repository)
    with zipfile.ZipFile(folder / "all.zip") as archive:
        archive.extractall(folder)


def clone_without_links(repository: Path, folder: Path) -> None:
    """As git clones on Windows."""
    git("clone", "--quiet", "-c", "core.symlinks=false", str(repository), str(folder), folder=repository)


def closure(requirements: list[str]) -> set[str]:
    """The distributions that these need here, and those that they need in turn."""
    found: set[str] = set()
    left = [Requirement(text) for text in requirements]
    while left:
        wanted = left.pop()
        if wanted.name in found or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
            continue
        found.add(wanted.name)
        left += map(Requirement, distribution(wanted.name).requires or ())
    return found


def link_distributions(names: set[str], packages: Path) -> None:
    """Put distributions of this environment into another one's folder of packages, as links."""
    for name in names:
        files = distribution(name).files or ()
        for top in {file.parts[0] for file in files} - {"..", "__pycache__"}:
            target = Path(str(distribution(name).locate_file(top)))
            if not (packages / top).exists():
                (packages / top).symlink_to(target)


def installed(wheel: Path, folder: Path) -> Path:
    """The interpreter of a new environment that has the wheel, and of its dependencies those of a caller."""
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    asked = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = Path(subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip())
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    link_distributions(closure(PROJECT["dependencies"]), packages)
    return python


@pytest.fixture
def hostile_folder(tmp_path: Path) -> Path:
    """A project with modules of its own that have the names of our parts."""
    for part in (*PARTS, "courier"):
        if part != "cutgate":
            (tmp_path / f"{part}.py").write_text(f'raise SystemExit("{part}.py of the caller was imported")\n')
    return tmp_path


def use(python: Path, folder: Path) -> None:
    """Use client and command as a script and a shell in the folder would."""
    (folder / "use.py").write_text(USE)
    said = subprocess.run([python, "use.py"], cwd=folder, check=True, capture_output=True, text=True).stdout
    assert said.startswith("Client(")
    assert "private" not in said
    version = subprocess.run([python, "-m", NAME, "--version"], cwd=folder, capture_output=True, text=True)
    assert version.stdout.strip().endswith(PROJECT["version"]), version.stderr
    refused = subprocess.run([python, "-m", NAME, "up"], cwd=folder, capture_output=True, text=True)
    assert refused.returncode == 1
    assert "celery, cryptography" in refused.stderr, refused.stderr


def test_the_wheel_has_one_package_with_all_of_its_files(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    packed = {name for name in names if ".dist-info/" not in name}
    assert {name.partition("/")[0] for name in packed} == {NAME}
    assert packed >= DATA
    scripts = {f"cutgate/{path.relative_to(ROOT)}" for path in (ROOT / "jobs" / "ledger" / "lua").rglob("*.lua")}
    assert {name for name in packed if name.endswith(".lua")} == scripts
    modules = {"/".join(name.split(".")) for name in own_modules()}
    assert modules == {
        name.removesuffix(".py").removesuffix("/__init__") for name in packed if name.endswith(".py")
    }


@pytest.mark.parametrize("get", [unpacked_zip, pytest.param(clone_without_links, marks=pytest.mark.long)])
def test_sources_without_links_make_the_same_wheel(
    get: Callable[[Path, Path], None], wheel: Path, repository: Path, tmp_path: Path
) -> None:
    for name in ("source", "wheel"):
        (tmp_path / name).mkdir()
    get(repository, tmp_path / "source")
    assert not (tmp_path / "source" / "cutgate" / "gateway").is_symlink()
    assert files_of(build(tmp_path / "source", tmp_path / "wheel")) == files_of(wheel)


@pytest.mark.long
def test_an_editable_installation_needs_no_links(repository: Path, tmp_path: Path) -> None:
    """It is what `make` installs."""
    for name in ("source", "wheel"):
        (tmp_path / name).mkdir()
    unpacked_zip(repository, tmp_path / "source")
    command = [sys.executable, "-W", "ignore", "-c", BUILD.replace("build_wheel", "build_editable")]
    subprocess.run([*command, str(tmp_path / "wheel")], cwd=tmp_path / "source", check=True, capture_output=True)
    [built] = (tmp_path / "wheel").glob("*.whl")
    python = installed(built, tmp_path / "environment")
    start = next((tmp_path / "environment").rglob("__editable__*.pth")).read_text(encoding="utf-8")
    ask = f"{start}\nimport cutgate.gateway.picpik, cutgate.signing; print(cutgate.signing.__file__)"
    for folder in (tmp_path, tmp_path / "source"):
        done = subprocess.run([python, "-c", ask], cwd=folder, check=True, capture_output=True, text=True)
        assert Path(done.stdout.strip()) == tmp_path / "source" / "signing" / "__init__.py"


def test_it_works_beside_a_callers_own_modules(wheel: Path, tmp_path: Path, hostile_folder: Path) -> None:
    use(installed(wheel, tmp_path / "environment"), hostile_folder)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_pip_installs_it_into_an_empty_environment(wheel: Path, tmp_path: Path, hostile_folder: Path) -> None:
    venv.create(tmp_path / "environment", with_pip=True)
    python = tmp_path / "environment" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", wheel], check=True, capture_output=True)
    use(python, hostile_folder)
    command = python.parent / NAME
    assert subprocess.run([command, "--version"], cwd=hostile_folder, capture_output=True).returncode == 0


def test_what_a_caller_installs_is_little() -> None:
    direct = {Requirement(text).name for text in PROJECT["dependencies"]}
    assert direct == {"click", "httpx", "rich", "watchfiles"}
    assert closure(PROJECT["dependencies"]).isdisjoint({"celery", "flask", "numpy", "pydantic", "redis"})
