"""The command against a real gateway: results, one-line errors, exit codes."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from cutgate import PictureEmpty
from cutgate.batches.journal import JOURNAL_NAME
from tests.cutgate.conftest import Service, run, working
from tests.gateway.harness import ACCOUNT, PRIVATE_KEY, PUBLIC_KEY
from tests.gateway.picture_files import png
from tests.pictures.tiny_network import tiny_environment
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("bare_environment")


def results(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {JOURNAL_NAME}


def test_one_picture(worked_service: Service, photos: list[Path], tmp_path: Path) -> None:
    target = tmp_path / "new" / "out.png"
    result = worked_service.run("cut", photos[0], "-o", target)
    assert (result.exit_code, result.stdout) == (0, f"{target}\n")
    assert target.read_bytes() == b"done"


def test_several_pictures_into_a_folder(worked_service: Service, photos: list[Path], tmp_path: Path) -> None:
    result = worked_service.run("cut", *photos, "-o", tmp_path / "out")
    assert result.exit_code == 0
    assert results(tmp_path / "out") == {"a.png", "b.png", "c.png"}
    assert sorted(result.stdout.split()) == [str(tmp_path / "out" / f"{name}.png") for name in "abc"]


def test_options_reach_the_service(service: Service, photos: list[Path], tmp_path: Path) -> None:
    options = ("--mask", "--box", "1,2,7,8", "--erode-size", "3", "--hair", "off", "--timeout", "0")
    result = service.run("cut", photos[0], "-o", tmp_path / "out.png", *options)
    spec = service.gateway.claim().spec
    assert spec.box is not None
    assert (spec.box.left_px, spec.box.bottom_px, spec.erode_px, spec.refinement, spec.output) == (
        1,
        8,
        3,
        "off",
        "mask",
    )
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "is still Queuing after 0 s" in result.stderr


def test_one_bad_picture_does_not_stop_the_others(
    worked_service: Service, photos: list[Path], tmp_path: Path
) -> None:
    photos[1].write_bytes(b"no picture")
    result = worked_service.run("cut", *photos, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert results(tmp_path / "out") == {"a.png", "c.png"}
    assert result.stderr.startswith(f"Error: {photos[1]}: the bytes are not ")
    first, *others = result.stderr.splitlines()
    assert first.endswith(" (Params [RawImage] not available, code 230)")
    assert others == ["2 saved, 1 failed."]


def test_a_wrong_key_says_what_to_check(service: Service, photos: list[Path], tmp_path: Path) -> None:
    result = service.run("cut", photos[0], "-o", tmp_path / "out.png", private_key="wrong-key")
    assert result.exit_code == 1
    assert result.stderr.endswith("; check the private key (code 171)\n")
    assert "wrong-key" not in result.output


def test_the_private_key_may_lie_in_a_file(worked_service: Service, photos: list[Path], tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{PRIVATE_KEY}\n")
    account = ("--url", worked_service.url, "--public-key", PUBLIC_KEY, "--private-key-file", tmp_path / "key")
    assert run("cut", photos[0], "-o", tmp_path / "out.png", *account).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--box", "1,2,3"], "'1,2,3' is not four whole numbers"),
        (["--box=-9,-9,-5,5"], "-9, -9, -5, 5 has no area in a picture"),
        (["--erode-size", "41"], "0<=x<=40"),
        (["--shadow", "b.png"], "'b.png' is no opacity"),
        (["--url", "http://127.0.0.1:9"], "--url needs --public-key"),
        (["--url", "nowhere", "--public-key", "a", "--private-key-file", "a.png"], "url must start with http"),
    ],
)
def test_wrong_calls_exit_with_2(
    arguments: list[str], said: str, photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos[0].parent)
    photos[0].write_text("key")
    result = run("cut", "a.png", "-o", "out.png", *arguments)
    assert (result.exit_code, said in result.stderr) == (2, True), result.stderr


def test_ctrl_c_ends_the_wait(service: Service, photos: list[Path], tmp_path: Path) -> None:
    with service.start("cut", *photos, "-o", tmp_path / "out") as process:
        eventually(lambda: service.gateway.store.waiting(service.gateway.lane) == len(photos))
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=4)[1]  # less than the service may hold an answer back
    assert (process.returncode, said.strip()) == (
        130,
        "Error: interrupted; the same command goes on where it was",
    )


@pytest.fixture
def subjectless_service(service: Service) -> Iterator[Service]:
    """A service that finds a subject in the first picture and in no other."""
    with working(service, png(), subjects=[True]):
        yield service


def test_a_result_without_a_subject_is_told_counted_and_remembered(
    subjectless_service: Service, photos: list[Path], tmp_path: Path
) -> None:
    command: list[str | Path] = ["cut", *photos, "-o", tmp_path / "out", "--at-once", "1"]
    for state in ("saved", "kept"):
        lines = [json.loads(line) for line in subjectless_service.run(*command, "--json").stdout.splitlines()]
        assert [(line["state"], line["subject"]) for line in lines[:-1]] == [
            (state, found) for found in (True, False, False)
        ]
        assert (lines[-1]["summary"][state], lines[-1]["summary"]["no_subject"]) == (3, 2)
    result = subjectless_service.run(*command)
    assert result.exit_code == 0
    assert f"Warning: {photos[1]}: no subject was found, the result is clear; --box says where one is" in (
        result.stderr
    )
    assert result.stderr.endswith("0 saved, 3 already there, 2 of them without a subject.\n")
    assert subjectless_service.run(*command, "--fail-on-empty").exit_code == 3


def test_kept_results_and_new_ones_are_told_apart(
    worked_service: Service, photos: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    first = worked_service.run("cut", *photos[:2], "-o", out)
    assert set(first.stdout.splitlines()) == {f"{out / 'a.png'}", f"{out / 'b.png'}"}
    assert first.stderr == "2 saved.\n"
    second = worked_service.run("cut", *photos, "-o", out)
    assert second.stdout == f"{out / 'c.png'}\n"
    assert set(second.stderr.splitlines()) == {
        f"Already there: {out / 'a.png'}",
        f"Already there: {out / 'b.png'}",
        "1 saved, 2 already there.",
    }


@pytest.fixture
def here(photos: list[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of `a.png`, `b.png` and `c.jpg`, which is the current one."""
    folder = photos[0].parent
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("named", [(), ("-o", "new/cutout.png")])
def test_a_single_result_is_kept_replaced_or_refused(
    worked_service: Service, here: Path, named: tuple[str, ...]
) -> None:
    target = named[-1] if named else "a-cutout.png"

    def cut(*options: str) -> tuple[int, str, str, int]:
        result = worked_service.run("cut", "a.png", *named, *options)
        return result.exit_code, result.stdout, result.stderr, worked_service.gateway.store.booked(ACCOUNT)

    there = f"Already there: {target} (--again makes it anew)\n"
    assert cut() == (0, f"{target}\n", "", 1)
    assert cut() == (0, "", there, 1)
    assert cut("--hair", "off") == (0, f"{target}\n", f"Overwrote {target}\n", 2)
    (here / target).write_bytes(b"edited")
    assert cut("--hair", "off") == (0, "", there, 2)
    code, printed, said, paid = cut()
    assert (code, printed, paid) == (1, "", 2)
    assert f"{target} has changed since Cutgate wrote it, and is kept; replace it with --again" in said
    assert (here / target).read_bytes() == b"edited"
    assert cut("--again") == (0, f"{target}\n", "", 3)
    (here / "a.png").write_bytes(png(9, 9))
    assert cut() == (0, f"{target}\n", f"Overwrote {target}\n", 4)


def test_a_file_of_the_callers_and_another_pictures_result_are_overwritten_and_told(
    worked_service: Service, here: Path
) -> None:
    (here / "out.png").write_bytes(b"the caller's")
    (here / "b.png").write_bytes((here / "a.png").read_bytes())
    stamp = (here / "a.png").stat().st_mtime_ns
    os.utime(here / "b.png", ns=(stamp, stamp))
    for name in ("a.png", "b.png"):
        result = worked_service.run("cut", name, "-o", "out.png", "--json")
        line, _ = map(json.loads, result.stdout.splitlines())
        assert (line["source"], line["state"], line["replaced"]) == (name, "saved", True)
    assert worked_service.gateway.store.booked(ACCOUNT) == 2


def test_results_beside_pictures_that_differ_in_their_suffix_stay_apart_over_calls(
    worked_service: Service, here: Path
) -> None:
    (here / "a.jpg").write_bytes(png(9, 9))
    for name, target in (("a.png", "a-cutout.png"), ("a.jpg", "a.jpg-cutout.png")):
        assert worked_service.run("cut", name).stdout == f"{target}\n"
        assert worked_service.run("cut", here / ".." / here.name / name).stderr.startswith("Already there: ")
    assert worked_service.gateway.store.booked(ACCOUNT) == 2


def test_a_single_picture_whose_command_was_killed_is_paid_once(service: Service, here: Path) -> None:
    with service.start("cut", "a.png") as process:
        eventually(lambda: service.gateway.store.waiting(service.gateway.lane) == 1)
        process.kill()
    service.gateway.finish_one(b"done")
    assert service.run("cut", "a.png").stdout == "a-cutout.png\n"
    assert service.gateway.store.booked(ACCOUNT) == 1


def test_an_empty_file_is_not_sent(worked_service: Service, here: Path) -> None:
    (here / "b.png").write_bytes(b"")
    result = worked_service.run("cut", "b.png")
    assert (result.exit_code, result.stderr) == (1, "Error: b.png is empty (0 bytes)\n")
    with worked_service.client() as client, pytest.raises(PictureEmpty, match=r"^b\.png is empty \(0 bytes\)$"):
        client.remove_background("b.png")
    (here / "in").mkdir()
    (here / "b.png").rename(here / "in" / "b.png")
    result = worked_service.run("watch", "in", "-o", "out", "--once")
    assert (result.exit_code, result.stderr) == (1, f"Error: {here / 'in' / 'b.png'} is empty (0 bytes)\n")
    assert worked_service.gateway.store.booked(ACCOUNT) == 0


def test_keys_need_a_running_stack(tmp_path: Path) -> None:
    result = run("keys", "list", "--data", tmp_path / "data")
    assert (result.exit_code, result.stderr) == (
        1,
        f"Error: no stack runs in {tmp_path / 'data'}; start one with cutgate up --data {tmp_path / 'data'}\n",
    )


def test_doctor_says_what_is_wrong_in_both_forms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cutgate.local.redis_server.find_binaries", lambda: iter(()))
    result = run("doctor", "--data", tmp_path / "data", "--port", "0", "--json")
    found = {check["name"]: check for check in json.loads(result.stdout)["checks"]}
    assert (result.exit_code, json.loads(result.stdout)["ok"]) == (1, False)
    assert found["python"]["ok"]
    assert found["data"]["ok"]
    assert "no Redis-protocol server found" in found["server"]["detail"]
    shown = run("doctor", "--data", tmp_path / "data", "--port", "0")
    assert shown.exit_code == 1
    assert "FAIL  server" in shown.stdout


def test_doctor_leaves_out_what_only_a_running_stack_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [{"name": name, "ok": name == "weights", "detail": "", "remedy": ""} for name in ("redis", "weights")]
    monkeypatch.setattr("cutgate.commands.doctor.run_part", lambda *_, **__: {"checks": found})
    result = run("doctor", "--data", tmp_path / "data", "--port", "0", "--json")
    names = [check["name"] for check in json.loads(result.stdout)["checks"]]
    assert (result.exit_code, names) == (0, ["python", "parts", "server", "data", "port", "worker weights"])
    assert not (tmp_path / "data").exists()


def test_doctor_times_the_engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTGATE_THREADS", "none")  # timing anything would take long
    result = run("doctor", "--bench", "--data", tmp_path / "data")
    assert (result.exit_code, "CUTGATE_THREADS" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "code", "usage"),
    [
        (("keys", "--help"), 0, "Usage: main keys [OPTIONS] COMMAND "),
        (("keys",), 2, "Usage: main keys [OPTIONS] COMMAND "),
        (("keys", "add", "--help"), 0, "Usage: main keys add [OPTIONS]\n"),
        (("models", "fetch", "--help"), 0, "Usage: main models fetch [OPTIONS] "),
        (("models", "fetch", "--bogus"), 2, "Usage: main models fetch [OPTIONS] "),
        (("models", "lst"), 2, "Usage: main models [OPTIONS] COMMAND "),
    ],
)
def test_other_parts_commands_answer_by_this_ones_name(arguments: tuple[str, ...], code: int, usage: str) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.output.startswith(usage)) == (code, True), result.output


def test_text_of_another_parts_command_is_one_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in tiny_environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    assert run("models", "fetch", "tiny").exit_code == 0
    result = run("models", "--json", "try")
    assert (result.exit_code, "tiny" in json.loads(result.stdout)["output"]) == (0, True), result.output


def test_an_unmetered_account_is_said_to_be_so(
    worked_service: Service, photos: list[Path], tmp_path: Path
) -> None:
    assert worked_service.run("cut", photos[0], "-o", tmp_path / "out.png").exit_code == 0
    used = worked_service.gateway.store.booked(ACCOUNT)
    assert used > 0
    assert worked_service.run("balance").stdout == f"unmetered, {used} used\n"
    unmetered = json.loads(worked_service.run("balance", "--json").stdout)
    assert (unmetered["metered"], unmetered["total"], unmetered["available"]) == (False, None, None)
    worked_service.gateway.store.grant(ACCOUNT, 7)
    assert worked_service.run("balance").stdout == "7 of 7 credits left, 0 used\n"
    metered = json.loads(worked_service.run("balance", "--json").stdout)
    assert (metered["metered"], metered["total"], metered["available"]) == (True, 7, 7)


def test_an_empty_list_says_so(service: Service) -> None:
    result = service.run("list")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no tasks\n")
    assert service.run("list", "--json").output == ""
