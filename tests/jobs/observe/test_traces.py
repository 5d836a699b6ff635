"""Traces that are off cost nothing and need nothing; what they need is named where they are on."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from cutgate.jobs.settings import JobSettings
from tests.servers.stack import ROOT

KEY = "A" * 43 + "="
OFF = """
import sys
from cutgate.jobs.observe import traces
from cutgate.jobs.settings import JobSettings
traces.start(JobSettings(), "gateway")
with traces.span("x", parent="", b=2):
    traces.say(a=1)
    traces.fail("kind")
    traces.past("y", 1.0)
    assert traces.traceparent() == ""
import cutgate.gateway.serving.wsgi, cutgate.worker.process.child, cutgate.courier.process
# Redis's client looks for the metrics of OpenTelemetry by itself, where it is installed.
print(*sys.modules.keys() & {"cutgate.jobs.observe.otlp", "opentelemetry.sdk.trace", "opentelemetry.exporter"})
"""
ON = """
import sys
from cutgate.jobs.settings import JobSettings, WrongSettings, load_settings
try:
    load_settings(JobSettings)
except WrongSettings as wrong:
    sys.exit(str(wrong))
"""


def test_while_they_are_off_nothing_is_imported_for_them() -> None:
    ran = subprocess.run([sys.executable, "-c", OFF, KEY], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == ""


def test_without_the_extra_the_setting_says_what_to_install(tmp_path: Path) -> None:
    for path in map(Path, sys.path):
        if path.name == "site-packages":
            for entry in path.iterdir():
                if not entry.name.startswith("opentelemetry"):
                    (tmp_path / entry.name).symlink_to(entry)
    environment = {
        "PYTHONPATH": f"{ROOT}:{tmp_path}",
        "CUTGATE_TRACES_URL": "http://user:secret@127.0.0.1:4318/v1/traces",
    }
    ran = subprocess.run(
        [sys.executable, "-S", "-c", ON], env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert "CUTGATE_TRACES_URL" in ran.stderr
    assert "pip install 'cutgate[tracing]'" in ran.stderr
    assert "secret" not in ran.stderr


@pytest.mark.parametrize("wrong", ["127.0.0.1:4318", "grpc://127.0.0.1:4317"])
def test_an_address_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(ValidationError, match="must begin with http:// or https://"):
        JobSettings(traces_url=wrong)


def test_an_empty_address_stands_for_none() -> None:
    """Compose files can hand on nothing but a text."""
    assert JobSettings(traces_url="").traces_url is None


def test_the_address_is_a_secret() -> None:
    settings = JobSettings(traces_url="http://user:secret@127.0.0.1:4318/v1/traces")
    assert "secret@" not in repr(settings)
