"""Hold an empty installation of a checkout, and run its operators' commands: a program for that checkout's Python.

    python -P host.py PACKAGE GATEWAY_MODULE

It stands in the checkout's root. It prints the installation's environment as a line of JSON, then for each line on
standard input, a list of arguments, a line with what the command printed. It ends with standard input.
"""

import importlib
import io
import json
import os
import runpy
import sys
from contextlib import AbstractContextManager, redirect_stdout
from pathlib import Path


def scratch_environment(package: str) -> AbstractContextManager[dict[str, str]]:
    """A server on an empty data folder, and the environment of a gateway on it."""
    try:
        stack = importlib.import_module(f"{package}.local.stack")
    except ModuleNotFoundError:  # a checkout from before parts had environments of their own
        return importlib.import_module(f"{package}.local").scratch_environment()  # type: ignore[no-any-return]
    return stack.scratch_environment("gateway")  # type: ignore[no-any-return]


def run(module: str, arguments: list[str]) -> str:
    """What a command prints.

    Raises:
        RuntimeError: it failed; what it says of that is on standard error.
    """
    printed = io.StringIO()
    sys.argv = [module, *arguments]
    try:
        with redirect_stdout(printed):
            runpy.run_module(module, run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise RuntimeError(f"{' '.join(arguments)}: exit status {end.code}") from None
    return printed.getvalue()


def main(package: str, gateway_module: str) -> None:
    sys.path.insert(0, str(Path.cwd()))
    with scratch_environment(package) as environment:
        print(json.dumps(environment), flush=True)
        os.environ.update(environment)
        for line in sys.stdin:
            print(json.dumps(run(gateway_module, json.loads(line))), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
