"""Tests of a release: its version, changelog, workflows, and the files that `make release` builds."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from deploy.release.state import PROJECT, VERSION
from deploy.supply_chain.materials import IMAGES
from tests.deploy.compose_model import ROOT
from tests.test_package import git

TOOLS: Final = Path(sys.executable).parent
WORKFLOWS: Final[dict[str, dict[str, Any]]] = {
    path.stem: yaml.safe_load(path.read_text("utf-8")) for path in (ROOT / ".github/workflows").glob("*.yml")
}
WRITERS: Final = {
    "attest": {"attestations", "id-token"},
    "images": {"packages"},
    "publish": {"id-token"},
    "notes": {"contents"},
}
"""Jobs that may write, and what."""


def run(*command: str | Path, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def fragments(tmp_path: Path) -> Path:
    """A copy of what towncrier reads."""
    for name in ("pyproject.toml", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "changelog.d", tmp_path / "changelog.d")
    return tmp_path


def joined(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return run(TOOLS / "towncrier", "build", "--version", VERSION, *options, folder=folder)


def test_every_place_has_the_version() -> None:
    """`gateway/openapi` has a version of its own: that of the protocols."""
    places = {
        "Dockerfile": r"^ARG VERSION=(.+)$",
        "deploy/kubernetes/base/kustomization.yaml": r"newTag: (.+)",
        "docs/kubernetes.md": r"cutgate/\$part:([0-9.]+)",
        "docs/images.md": r"cutgate[-:]([0-9]+\.[0-9]+\.[0-9]+)",
    }
    for place, pattern in places.items():
        found = re.findall(pattern, (ROOT / place).read_text("utf-8"), re.MULTILINE)
        assert found, place
        assert set(found) == {VERSION}, place


def test_one_name_of_the_repository_is_to_be_filled_in() -> None:
    source = PROJECT["urls"]["Source"]
    assert all(url.startswith(source) for url in PROJECT["urls"].values())
    files = run("git", "ls-files").stdout.splitlines()
    texts = {name: (ROOT / name).read_text("utf-8", "replace") for name in files if (ROOT / name).is_file()}
    owner = source.split("/")[3]
    assert {name for name, text in texts.items() if f".com/{owner}/" in text} == {"pyproject.toml"}


def test_a_draft_has_every_fragment_with_upgrade_steps_first(fragments: Path) -> None:
    (fragments / "changelog.d/clients").mkdir(exist_ok=True)
    (fragments / "changelog.d/clients/order.upgrade.md").write_text("- Workers go first.\n")
    (fragments / "changelog.d/clients/hang.fixed.md").write_text("- The client ends.\n")
    draft = joined(fragments, "--draft").stdout
    texts = [path.read_text("utf-8").strip() for path in (fragments / "changelog.d").rglob("*.md")]
    assert len(texts) >= 2
    assert not [text for text in texts if text not in draft]
    assert re.findall(r"^###? (.+)$", draft, re.MULTILINE)[1] == "Upgrade steps"
    assert draft.index("Workers go first") < draft.index("The client ends")


@pytest.mark.parametrize("name", ["clients/odd.wrong.md", "clients/odd.md"])
def test_a_fragment_of_no_known_kind_is_refused(fragments: Path, name: str) -> None:
    (fragments / "changelog.d/clients").mkdir(exist_ok=True)
    (fragments / "changelog.d" / name).write_text("- Odd.\n")
    refused = joined(fragments, "--draft")
    assert refused.returncode
    assert Path(name).name in refused.stdout + refused.stderr


def test_fragments_lie_in_the_folders_of_their_areas() -> None:
    """Towncrier passes over all other folders without a word."""
    listed = re.findall(r'path = "(\w+)"', (ROOT / "pyproject.toml").read_text("utf-8"))
    assert {path.parent.name for path in (ROOT / "changelog.d").rglob("*.md")} <= set(listed)


def test_workflows_pass_their_checkers() -> None:
    for command in ([TOOLS / "actionlint"], [TOOLS / "zizmor", "--quiet", "--offline", "--pedantic", ".github"]):
        done = run(*command)
        assert done.returncode == 0, done.stdout + done.stderr


def test_actions_are_pinned_by_digest_and_version() -> None:
    """One digest for each action."""
    digests: dict[str, set[str]] = {}
    for path in (ROOT / ".github/workflows").glob("*.yml"):
        for used in re.findall(r"uses: (?!\$/)(.+)$", path.read_text("utf-8"), re.MULTILINE):
            match = re.fullmatch(r"(\S+)@([0-9a-f]{40} # v\d+\.\d+\.\d+)", used)
            assert match, used
            digests.setdefault(match[1], set()).add(match[2])
    assert digests
    assert not {name: found for name, found in digests.items() if len(found) > 1}


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for workflow in WORKFLOWS.values():
        yield from workflow["jobs"].items()


def test_jobs_have_no_more_rights_than_they_need() -> None:
    assert all(workflow["permissions"] == {} for workflow in WORKFLOWS.values())
    written = {
        name: {right for right, how in job["permissions"].items() if how == "write"}
        for name, job in jobs()
        if "write" in job["permissions"].values()
    }
    assert written == WRITERS
    assert [name for name, job in jobs() if "environment" in job] == ["publish"]
    steps = [step for _, job in jobs() for step in job.get("steps", [])]
    checkouts = [step for step in steps if step.get("uses", "").startswith("actions/checkout@")]
    assert len(checkouts) >= len(WORKFLOWS)
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_a_release_has_every_image_for_both_machines_with_attestations() -> None:
    images = WORKFLOWS["release"]["jobs"]["images"]
    assert set(images["strategy"]["matrix"]["target"]) == set(IMAGES) - {"worker-cpu-zoo"}
    (build,) = [step["with"] for step in images["steps"] if "build-push-action" in step.get("uses", "")]
    assert build["platforms"] == "linux/amd64,linux/arm64"
    assert (build["sbom"], build["provenance"], build["push"]) == (True, "mode=max", True)


def test_nothing_is_published_before_the_tests_pass() -> None:
    needs = {name: job.get("needs", []) for name, job in WORKFLOWS["release"]["jobs"].items()}
    assert {"tests", "build", "attest", "images"} <= set(needs["publish"])
    assert "tests" in needs["images"]
    assert needs["notes"] == "publish"


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working tree, committed in a repository of its own."""
    folder = tmp_path_factory.mktemp("clone")
    for name in run("git", "ls-files", "--cached", "--others", "--exclude-standard").stdout.splitlines():
        if (ROOT / name).exists() and not name.startswith(("benchmarks/", "tests/", "docs/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name, follow_symlinks=False)
    git("init", "--quiet", folder=folder)
    git("add", ".", folder=folder)
    git("commit", "--quiet", "--message", "all", folder=folder)
    return folder


def release(clone: Path, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, "-m", "deploy.release", "--folder", folder, *options, folder=clone)


@pytest.mark.long
def test_two_builds_of_a_commit_have_the_same_bytes(clone: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        done = release(clone, tmp_path / name)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"git tag --annotate v{VERSION}" in done.stdout
        (clone / "signing" / "canonical.py").touch()
    sums = [
        {path.name: sha256(path.read_bytes()).hexdigest() for path in (tmp_path / name / "dist").iterdir()}
        for name in ("first", "second")
    ]
    assert sums[0] == sums[1]
    assert sorted(sums[0]) == [f"cutgate-{VERSION}-py3-none-any.whl", f"cutgate-{VERSION}.tar.gz"]
    assert "Upgrade steps" in (tmp_path / "first" / "notes.md").read_text("utf-8")


def test_a_commit_that_is_not_ready_is_refused(clone: Path, tmp_path: Path) -> None:
    refused = release(clone, tmp_path / "release", "--final")
    assert refused.returncode == 1
    assert "cannot be published" in refused.stderr
    assert "towncrier build" in refused.stderr
    assert not (tmp_path / "release").exists()


@pytest.mark.long
def test_a_commit_that_is_ready_is_built_with_its_own_notes(clone: Path, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    git("clone", "--quiet", str(clone), str(ready), folder=tmp_path)
    text = (ready / "pyproject.toml").read_text("utf-8").replace("YOUR_ORGANISATION", "someone")
    (ready / "pyproject.toml").write_text(text, "utf-8")
    assert joined(ready, "--yes").returncode == 0
    git("add", "--all", ".", folder=ready)
    git("commit", "--quiet", "--message", VERSION, folder=ready)
    git("tag", "--annotate", "--message", VERSION, f"v{VERSION}", folder=ready)
    done = release(ready, tmp_path / "out", "--final")
    assert done.returncode == 0, done.stderr
    notes = (tmp_path / "out" / "notes.md").read_text("utf-8")
    assert notes.startswith(f"## {VERSION} (")
    assert notes in (ready / "CHANGELOG.md").read_text("utf-8")
    assert "git tag" not in done.stdout
