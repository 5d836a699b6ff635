"""The commands about tasks that were handed in, and about the account."""

from dataclasses import asdict

import click

from cutgate.commands.console import json_option, print_json
from cutgate.commands.options.target import Target, target_options
from cutgate.protocol.picpik import JobStatus

COLOURS = {"Finished": "green", "Error": "red", "Running": "yellow"}


@click.command()
@target_options
@json_option
def balance(target: Target, as_json: bool) -> None:
    """Show the account's credits."""
    with target.client() as client:
        found = client.balance()
    if as_json:
        lapse = found.expires_at.isoformat() if found.expires_at else None
        known = {"metered": found.metered, "available": found.available, "expires_at": lapse}
        print_json(asdict(found) | known)
        return
    click.echo(str(found))
    if found.expires_at:
        click.echo(f"They lapse at {found.expires_at:%Y-%m-%d %H:%M} UTC.")


@click.command("list")
@target_options
@json_option
def list_(target: Target, as_json: bool) -> None:
    """Show the account's tasks that have not ended, oldest first."""
    with target.client() as client:
        found = client.statuses(job.uid for job in client.jobs())
    for one in found:
        show_status(one, as_json=as_json)
    if not found and not as_json:
        click.echo("no tasks", err=True)


@click.command()
@click.argument("uids", nargs=-1, required=True, metavar="TASK_UID...")
@target_options
@json_option
def status(uids: tuple[str, ...], target: Target, as_json: bool) -> None:
    """Show where tasks stand. Fails when one of them has."""
    with target.client() as client:
        found = client.statuses(uids)
    for one in found:
        show_status(one, as_json=as_json)
    if any(one.state == "Error" for one in found):
        raise click.exceptions.Exit(1)


@click.command()
@click.argument("uids", nargs=-1, required=True, metavar="TASK_UID...")
@target_options
@json_option
def terminate(uids: tuple[str, ...], target: Target, as_json: bool) -> None:
    """End tasks, uncharged, and show how they stand then."""
    with target.client() as client:
        for uid in uids:
            client.terminate(uid)
        for one in client.statuses(uids):
            show_status(one, as_json=as_json)


def show_status(status: JobStatus, *, as_json: bool) -> None:
    """One line for one task, and one for each of its results."""
    if as_json:
        told = asdict(status)
        for unknown in ("subject_found", "place", "phase"):  # only the result, or events, tell them
            del told[unknown]
        print_json({"task": told.pop("uid"), **told})
        return
    state = click.style(f"{status.state:8}", fg=COLOURS.get(status.state))
    wrong = f"  {status.error_message} (code {status.error_code})" if status.error_code else ""
    sure = "" if status.confidence is None else f"  confidence {status.confidence:.2f}"
    click.echo(f"{status.uid}  {state}{wrong}{sure}")
    for url in status.result_urls:
        click.echo(f"  {url}")
