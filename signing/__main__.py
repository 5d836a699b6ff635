"""`python -m cutgate.signing`: sign a JSON file.

The private key never comes from the command line, which other users of the machine can read.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cutgate.signing.canonical import SIGNATURE
from cutgate.signing.errors import SigningError
from cutgate.signing.jsontext import dump_body, parse_body
from cutgate.signing.picpik import sign_params

_KEY_VARIABLE: Final = "CUTGATE_PRIVATE_KEY"
_STANDARD_INPUT: Final = "-"


def main(arguments: Sequence[str] | None = None) -> None:
    """Sign the body that the arguments name and print it, or its signature alone."""
    parser = _parser()
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        # They are not repeated: one of them may be a private key that was given in spite of all.
        parser.error("unknown arguments; the private key is never one")
    try:
        params = parse_body(_read(options.body))
        if options.public_key is not None:
            params["PublicKey"] = options.public_key
        signature = sign_params(params, _private_key(options.private_key_file))
    except OSError as error:
        parser.error(f"cannot read {error.filename}: {error.strerror}")
    except (SigningError, ValueError) as error:
        parser.error(str(error))
    printed = signature if options.signature_only else dump_body(params | {SIGNATURE: signature})
    sys.stdout.buffer.write(f"{printed}\n".encode())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cutgate.signing",
        description="Sign the body of a PICPIK request. Its numbers are printed as they stand.",
        epilog=f"The private key is taken from {_KEY_VARIABLE} unless a file is named.",
        # An abbreviation of --private-key-file reads as if the key itself could be given.
        allow_abbrev=False,
    )
    parser.add_argument("body", help=f"a JSON file, or {_STANDARD_INPUT} for the standard input")
    parser.add_argument("--private-key-file", type=Path, help="a file that holds the private key and nothing else")
    parser.add_argument("--public-key", help="set PublicKey to this before signing")
    parser.add_argument("--signature-only", action="store_true", help="print the signature, not the signed body")
    return parser


def _private_key(file: Path | None) -> str:
    if file is None:
        private_key = os.environ.get(_KEY_VARIABLE, "")
    else:
        # As in the environment, bytes that are not UTF-8 become surrogates, which signing refuses without
        # repeating them.
        private_key = file.read_text(encoding="utf-8", errors="surrogateescape").rstrip("\r\n")
    if not private_key:
        raise ValueError(f"no private key: set {_KEY_VARIABLE} or name a file with --private-key-file")
    return private_key


def _read(body: str) -> bytes:
    return sys.stdin.buffer.read() if body == _STANDARD_INPUT else Path(body).read_bytes()


if __name__ == "__main__":
    main()
