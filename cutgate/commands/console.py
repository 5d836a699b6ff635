"""Helpers for all commands: errors in one line or in JSON, exit codes, and both forms of output."""

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NoReturn

import click

from cutgate.errors import CommandFailed, CutgateError, facts
from cutgate.in_process.batch import is_at_work
from cutgate.stopping import setter

WITHOUT_SUBJECT: Final = 3
INTERRUPTED: Final = 130

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, errors too.")


class Commands(click.Group):
    """A group whose commands end with one line, or one object of JSON, instead of a traceback."""

    def main(self, args: Sequence[str] | None = None, *others: Any, **extra: Any) -> NoReturn:
        """Run the command and end the process."""
        given = list(sys.argv[1:] if args is None else args)
        as_json = "--json" in given  # also where the command line cannot be understood
        try:
            code = super().main(given, *others, **extra | {"standalone_mode": False})
        except (click.Abort, Interrupted) as error:
            said = error if isinstance(error, Interrupted) else Interrupted()
            code = tell(said, as_json=as_json, code=INTERRUPTED)
        except click.ClickException as error:
            if not as_json:
                error.show()
            code = tell(misuse(error), as_json=True, code=error.exit_code) if as_json else error.exit_code
        except (CutgateError, OSError) as error:
            code = tell(error, as_json=as_json)
        if is_at_work():  # Ctrl-C does not wait for it
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        sys.exit(code)


class Interrupted(CutgateError):
    """Ctrl-C ended the command."""

    def __init__(self, advice: str = "") -> None:
        super().__init__("interrupted", advice=advice)


def misuse(error: click.ClickException) -> CutgateError:
    """An error of the command line, or of another part's command, as one of ours."""
    if not isinstance(error, click.UsageError):
        return CommandFailed(error.format_message())
    wrong = CutgateError(error.format_message(), advice="see --help")
    wrong.code = type(error).__name__
    return wrong


def tell(error: Exception, *, as_json: bool, code: int = 1, about: str = "") -> int:
    """Say what went wrong, and with what, and return the exit code; programs read it on standard output."""
    if as_json:
        print_json({"error": facts(error)})
    else:
        said = str(error)
        text = f"{about}: {said}" if about and not said.startswith(about) else said
        click.echo(f"{click.style('Error:', fg='red', bold=True)} {text}", err=True)
    return code


def print_json(value: object) -> None:
    """One value as one line."""
    click.echo(json.dumps(value, ensure_ascii=False))


@contextmanager
def stop_signals(*, impatient: bool = False) -> Iterator[threading.Event]:
    """An event that Ctrl-C, SIGTERM or a closed terminal sets, so that nothing is interrupted half-way.

    With `impatient` a second one of these interrupts all the same.
    """
    stop = threading.Event()
    leave = setter(stop)

    def handle(_number: int, _frame: object) -> None:
        if impatient and stop.is_set():
            raise KeyboardInterrupt
        leave()

    names = ("SIGINT", "SIGTERM", "SIGHUP")  # the last one is not everywhere
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = [signal.signal(number, handle) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
        leave()
