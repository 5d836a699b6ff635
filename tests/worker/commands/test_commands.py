"""The worker's commands: what `check` finds, and settings or weights that are missing or wrong."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cutgate.worker.__main__ import main
from cutgate.worker.settings import NetworkSettings
from tests.pictures.tiny_network import write_tiny_model
from tests.servers.s3_server import Bucket

PASSWORD = "open-sesame"


@pytest.fixture(autouse=True)
def _settings(tiny_settings: NetworkSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    values = {
        "MODEL": tiny_settings.model,
        "MODELS_DIR": tiny_settings.models_dir,
        "CACHE_DIR": tiny_settings.cache_dir,
        "BLOB_DIR": tmp_path / "blobs",
        "ENGINE": tiny_settings.engine,
        "THREADS": 1,
        "REDIS_URL": f"redis://:{PASSWORD}@127.0.0.1:9/0",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"CUTGATE_{name}", str(value))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def findings(result: Result) -> dict[str, dict[str, object]]:
    return {check["name"]: check for check in json.loads(result.stdout)["checks"]}


def test_a_healthy_worker(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTGATE_REDIS_URL", redis_url)
    result = run("doctor")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert all(line.startswith("ok ") for line in lines)
    assert "CPUExecutionProvider, fp32, 1 threads" in lines[-1]


def test_doctor_looks_at_every_model(
    redis_url: str, tiny_settings: NetworkSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUTGATE_REDIS_URL", redis_url)
    write_tiny_model(tiny_settings.models_dir, "other", bright=True)
    monkeypatch.setenv("CUTGATE_WORKER_MODELS", "tiny,other,u2netp")
    found = findings(run("doctor", "--json"))
    assert "offers tiny:exact, other:exact, u2netp:exact" in str(found["settings"]["detail"])
    names = {name for name in found if ":" in name}
    assert names == {
        *(f"{what} {name}:exact" for what in ("weights", "network") for name in ("tiny", "other")),
        "weights u2netp:exact",
    }
    assert [name for name in found if not found[name]["ok"]] == ["weights u2netp:exact"]


@pytest.mark.parametrize(
    ("sandbox", "can", "ok", "detail"),
    [
        ("require", True, True, "confined by seccomp"),
        ("off", True, True, "unconfined, for CUTGATE_DECODER_SANDBOX is off"),
        ("try", False, True, "unconfined, for the kernel refuses seccomp"),
        ("require", False, False, "unconfined, for the kernel refuses seccomp"),
    ],
)
def test_doctor_looks_at_decoders(
    monkeypatch: pytest.MonkeyPatch, sandbox: str, can: bool, ok: bool, detail: str
) -> None:
    monkeypatch.setenv("CUTGATE_DECODER_SANDBOX", sandbox)
    monkeypatch.setattr("cutgate.worker.commands.doctor.can_confine", lambda: can)
    found = findings(run("doctor", "--json"))["decoders"]
    assert found["ok"] is ok
    assert str(found["detail"]).startswith(detail)


def test_settings_that_do_not_go_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTGATE_ENGINE", "openvino")
    monkeypatch.setenv("CUTGATE_DEVICE", "gpu")
    found = findings(run("doctor", "--json"))["engine"]
    assert (found["ok"], found["detail"]) == (False, "openvino runs on cpu here, and CUTGATE_DEVICE=gpu")


def test_doctor_names_each_remedy(
    tiny_settings: NetworkSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    (tiny_settings.models_dir / "tiny.onnx").write_bytes(b"")
    (tiny_settings.models_dir / "tiny.json").unlink()
    monkeypatch.setenv("CUTGATE_MODEL", "isnet-general-use")
    monkeypatch.setenv("CUTGATE_BLOB_DIR", str(tmp_path / "file"))
    result = run("doctor", "--json")
    assert result.exit_code == 1
    found = findings(result)
    broken = {name for name, check in found.items() if not check["ok"]}
    assert broken == {"blobs", "redis", "weights"}
    assert all(found[name]["remedy"] for name in broken)
    assert PASSWORD not in result.output


def test_the_bucket_is_looked_at_where_blobs_lie_in_one(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("blob_store", "s3_endpoint_url", "s3_bucket", "s3_access_key"):
        monkeypatch.setenv(f"CUTGATE_{name.upper()}", getattr(bucket.settings, name))
    monkeypatch.setenv("CUTGATE_S3_SECRET_KEY", bucket.settings.s3_secret_key.get_secret_value())
    found = findings(run("doctor", "--json"))["blobs"]
    assert (found["ok"], found["detail"]) == (True, f"bucket {bucket.name} can be written")
    monkeypatch.setenv("CUTGATE_S3_BUCKET", "not-there")
    found = findings(run("doctor", "--json"))["blobs"]
    assert (found["ok"], found["detail"]) == (False, "the S3 server answers NoSuchBucket")
    assert "CUTGATE_S3_ENDPOINT_URL" in str(found["remedy"])


def test_settings_are_named_without_their_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTGATE_REDIS_URL", f"http://:{PASSWORD}@host")
    monkeypatch.setenv("CUTGATE_DEVICE", "abacus")
    result = run("doctor", "--json")
    assert result.exit_code == 1
    detail = str(findings(result)["settings"]["detail"])
    assert "CUTGATE_REDIS_URL" in detail
    assert "CUTGATE_DEVICE" in detail
    assert PASSWORD not in result.output


def test_without_its_weights_no_worker_starts(
    tiny_settings: NetworkSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tiny_settings.models_dir / "tiny.onnx").unlink()
    monkeypatch.setattr("cutgate.worker.process.celery_app.run", lambda *_: pytest.fail("it went on"))
    result = run("run")
    assert result.exit_code == 1
    assert "tiny.onnx: not there" in result.output
