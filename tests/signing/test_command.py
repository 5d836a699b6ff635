"""`python -m cutgate.signing`, run as its users run it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cutgate import signing
from cutgate.signing import parse_body, take_signature, verify

KEY = "sesame-123456"
BODY = '{"Action":"RemoveBackground","ErodeSize":15.0,"Ratio":1e-07,"Note":"发"}'


def run(
    *arguments: str | Path, key: str | bytes | None = KEY, stdin: str = ""
) -> subprocess.CompletedProcess[bytes]:
    environment = dict(os.environb)
    environment.pop(b"CUTGATE_PRIVATE_KEY", None)
    if key is not None:
        environment[b"CUTGATE_PRIVATE_KEY"] = os.fsencode(key)
    done = subprocess.run(
        [sys.executable, "-m", "cutgate.signing", *arguments],
        input=stdin.encode(),
        capture_output=True,
        check=False,
        cwd=Path(signing.__file__).parents[2],
        env=environment,
    )
    assert b"sesame" not in done.stdout + done.stderr, "the private key is shown"
    return done


def refused(done: subprocess.CompletedProcess[bytes]) -> str:
    assert done.returncode == 2
    assert done.stdout == b""
    message = done.stderr.decode()
    assert "Traceback" not in message
    return message


@pytest.fixture
def body_file(tmp_path: Path) -> Path:
    file = tmp_path / "body.json"
    file.write_text(BODY, encoding="utf-8")
    return file


def test_signed_body_keeps_number_texts(body_file: Path) -> None:
    done = run(body_file)
    assert done.returncode == 0, done.stderr
    text = done.stdout.decode()
    rest, presented = take_signature(parse_body(text))
    assert text == f'{BODY.removesuffix("}")},"Signature":"{presented}"}}\n'
    assert presented is not None
    assert verify(rest, presented, [KEY], go_numbers=False)


def test_signature_only_from_standard_input() -> None:
    done = run("--signature-only", "-", stdin='{"Action":"ListModels","PublicKey":"abcdefg"}', key="123456")
    assert done.stdout == b"4a20bc1141494035f6aaaad13224c94c5a8bc3a5\n"


def test_public_key_is_signed() -> None:
    done = run("--public-key", "abcdefg", "-", stdin='{"Action":"ListModels","Signature":"old"}', key="123456")
    assert json.loads(done.stdout) == {
        "Action": "ListModels",
        "PublicKey": "abcdefg",
        "Signature": "4a20bc1141494035f6aaaad13224c94c5a8bc3a5",
    }


@pytest.mark.parametrize("line_end", ["", "\n", "\r\n"])
def test_key_file_comes_before_the_environment(tmp_path: Path, body_file: Path, line_end: str) -> None:
    key_file = tmp_path / "key"
    key_file.write_bytes(f"{KEY}{line_end}".encode())
    done = run("--private-key-file", key_file, body_file, key="another")
    rest, presented = take_signature(parse_body(done.stdout))
    assert presented is not None
    assert verify(rest, presented, [KEY])


def test_no_key(body_file: Path) -> None:
    for key in (None, ""):
        assert "no private key: set CUTGATE_PRIVATE_KEY" in refused(run(body_file, key=key))


def test_key_that_is_not_text(tmp_path: Path, body_file: Path) -> None:
    key_file = tmp_path / "key"
    key_file.write_bytes(b"sesame\xff")
    assert "the private key is not UTF-8 text" in refused(run("--private-key-file", key_file, body_file))
    assert "the private key is not UTF-8 text" in refused(run(body_file, key=b"sesame\xff"))


@pytest.mark.parametrize("arguments", [["--private-key", KEY], [f"--private-key={KEY}"], [KEY, KEY]])
def test_key_on_the_command_line_is_refused_unseen(body_file: Path, arguments: list[str]) -> None:
    assert "the private key is never one" in refused(run(body_file, *arguments))


def test_missing_files(tmp_path: Path, body_file: Path) -> None:
    missing = tmp_path / "missing"
    assert f"cannot read {missing}: No such file" in refused(run(missing))
    assert f"cannot read {missing}: No such file" in refused(run("--private-key-file", missing, body_file))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("[1]", "not a JSON object"),
        ('{"a":1,"a":2}', "'a' stands twice"),
        ("{", "not JSON"),
        ('{"a":NaN}', "NaN is not a JSON number"),
        ('{"a":1e999}', "over the limit"),
    ],
)
def test_body_that_cannot_be_signed(body: str, message: str) -> None:
    assert message in refused(run("-", stdin=body))
