"""Commands about tasks and the account: lines for people, JSON for programs."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cutgate.commands.account import show_status
from cutgate.protocol.picpik import JobStatus
from tests.cutgate.conftest import Service
from tests.gateway.harness import ACCOUNT
from tests.gateway.picture_files import png

pytestmark = pytest.mark.usefixtures("bare_environment")

NO_TASK = "d5ari00q5cu0v880200g"


def test_an_unmetered_account_says_so(worked_service: Service, photos: list[Path], tmp_path: Path) -> None:
    assert worked_service.run("cut", photos[0], "-o", tmp_path / "out.png").exit_code == 0
    used = worked_service.gateway.store.booked(ACCOUNT)
    assert used > 0
    assert worked_service.run("balance").stdout == f"unmetered, {used} used\n"
    unmetered = json.loads(worked_service.run("balance", "--json").stdout)
    assert (unmetered["metered"], unmetered["total"], unmetered["available"]) == (False, None, None)
    worked_service.gateway.store.accounts.grant(ACCOUNT, 7)
    assert worked_service.run("balance").stdout == "7 of 7 credits left, 0 used\n"
    metered = json.loads(worked_service.run("balance", "--json").stdout)
    assert (metered["metered"], metered["total"], metered["available"]) == (True, 7, 7)


def test_an_empty_list_says_so(service: Service) -> None:
    result = service.run("list")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no tasks\n")
    assert service.run("list", "--json").output == ""


def test_a_task_from_end_to_end(service: Service) -> None:
    def ask(*arguments: str) -> tuple[int, list[dict[str, object]]]:
        result = service.run(*arguments, "--json")
        assert result.stderr == ""
        return result.exit_code, [json.loads(line) for line in result.stdout.splitlines()]

    with service.client() as client:
        first, second = client.remove_background(png()).uid, client.remove_background(png(9, 9)).uid
    assert [task["task"] for task in ask("list")[1]] == [first, second]
    service.gateway.finish_one()
    code, tasks = ask("terminate", second)
    assert (code, tasks[0]["state"], tasks[0]["error_code"]) == (0, "Error", 1002)
    code, tasks = ask("status", first, second)
    assert (code, [task["state"] for task in tasks]) == (1, ["Finished", "Error"])
    code, [balance] = ask("balance")
    assert (code, balance["used"], balance["expires_at"]) == (0, 1, None)
    code, [refused] = ask("terminate", NO_TASK)
    error = refused["error"]
    assert isinstance(error, dict)
    assert (code, error["code"]) == (1, 230)


def test_status_has_a_line_for_each_task_and_each_result(service: Service) -> None:
    with service.client() as client:
        first, second = client.remove_background(png()).uid, client.remove_background(png(9, 9)).uid
        service.gateway.finish_one()
        client.terminate(second)
    result = service.run("status", first, second)
    finished, url, ended = result.stdout.splitlines()
    assert (result.exit_code, finished) == (1, f"{first}  Finished  confidence 0.87")
    assert url.startswith("  http")
    assert ended == f"{second}  Error     Task terminated (code 1002)"


def test_the_state_has_its_colour_on_a_terminal() -> None:
    status = JobStatus(uid="uid", state="Running", result_urls=(), credits=0, error_code=0, error_message="")
    with CliRunner().isolation(color=True) as (shown, *_):
        show_status(status, as_json=False)
        assert shown.getvalue() == b"uid  \x1b[33mRunning \x1b[0m\n"
