"""Tests of what docs/kubernetes.md says about Helm: its Secrets are those of the overlay, its values render."""

import base64
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from deploy.helm.chart import CHART
from tests.deploy.kubernetes.helm import rendered
from tests.deploy.kubernetes.installation import PARTS, ROOT, SECRETS, Installation, fields_of

pytestmark = [pytest.mark.long, pytest.mark.needs("kubectl"), pytest.mark.needs("helm")]

SECTION = (
    (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8").partition("\n## Helm\n")[2].partition("\n## ")[0]
)
WITHOUT_A_CLUSTER = """
kubectl() { case "$*" in *"create secret"*) command kubectl "$@" --dry-run=client --output yaml; echo ---;; esac; }
helm() { :; }
"""


def block(language: str) -> str:
    (text,) = re.findall(rf"^```{language}[^\n]*\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
    return str(text)


def test_the_secrets_are_those_of_the_overlay(tmp_path: Path, installations: dict[str, Installation]) -> None:
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    (tmp_path / "secrets").mkdir(mode=0o700)
    for name, text in SECRETS.items():
        (tmp_path / "secrets" / name).write_text(f"{text}\n", encoding="ascii")
    script = f"set -eu\n{WITHOUT_A_CLUSTER}{block('bash')}"
    environment = os.environ | {"KUBECONFIG": os.devnull}
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    made = {it["metadata"]["name"]: it for it in yaml.safe_load_all(done.stdout) if it}
    assert {it["metadata"]["namespace"] for it in made.values()} == {"cutgate"}
    chart = rendered()
    for part in (*PARTS, "redis"):
        (name,) = set(fields_of(chart.pod(part), "secretName"))
        files = {key: base64.b64decode(text).decode().strip() for key, text in made.pop(name)["data"].items()}
        assert files == installations["production"].secrets(part)
    assert not made


def test_the_example_renders() -> None:
    values = yaml.safe_load(block("yaml"))
    made = rendered(values)
    assert made.environment("gateway").items() >= values["settings"].items()
    assert made.container("worker")["image"].startswith(values["worker"]["image"]["repository"])


def test_the_values_that_the_table_names_are_there() -> None:
    known = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    table = "".join(line for line in SECTION.splitlines(keepends=True) if line.startswith("|"))
    names = re.findall(r"`([a-z]\w+(?:\.\w+)+)(?::[^`]*)?`", table)
    assert len(names) > 10
    for section, name in (text.split(".") for text in names):
        assert name in known[section]
