"""Sign and verify PICPIK requests: SHA-1 over the canonical string and the private key behind it.

The digest's input holds the private key. It is never built as one string that a log or a traceback could show;
what may be logged is `canonical_string`.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

from cutgate.signing.canonical import (
    GO_FORMS,
    REQUIRED_FORMS,
    SIGNATURE,
    Signable,
    canonical_pieces,
)
from cutgate.signing.errors import LoneSurrogate
from cutgate.signing.jsontext import NumberText

_V = TypeVar("_V", bound=Signable)

_LOWER_CASE_CARRIER: Final = "signature"
_SIGNATURE_TEXT: Final = re.compile(r"[0-9a-fA-F]{40}")
_CHUNK_CHARACTERS: Final = 1 << 18


def sign(canonical: str, private_key: str) -> str:
    """Sign a canonical string.

    Args:
        canonical: what `canonical_string` gives.
        private_key: the secret of the key pair, not empty.

    Returns:
        40 hex digits in lower case.

    Raises:
        LoneSurrogate: the text cannot be written as UTF-8.
        ValueError: the private key is empty or not text.
    """
    [signature] = _signatures([canonical], [_key_bytes(private_key)])
    return signature


def sign_params(params: Mapping[str, Signable], private_key: str) -> str:
    """Sign a request's parameters, as a client does before it puts `Signature` in.

    Args:
        params: JSON values of Python, or those of `parse_body`; a `Signature` among them is left out.
        private_key: the secret of the key pair, not empty.

    Returns:
        40 hex digits in lower case.

    Raises:
        NonFiniteNumber: a float is NaN or infinite.
        NumberOutOfBounds: a number is longer than any server accepts.
        LoneSurrogate: a name or value cannot be written as UTF-8.
        TypeError: a value has no JSON form.
        ValueError: the private key is empty or not text.
    """
    [signature] = _signatures(canonical_pieces(params), [_key_bytes(private_key)])
    return signature


def take_signature(params: Mapping[str, _V]) -> tuple[dict[str, _V], str | None]:
    """Part a request's parameters from the signature that came with them.

    `Signature` carries it; where there is no such member, a string under `signature` does. Where both are there,
    `signature` is an ordinary member.

    Returns:
        The parameters to verify, and the presented signature, untrimmed; None where it is absent, null, empty or
        not a string.
    """
    carrier = SIGNATURE
    if SIGNATURE not in params and _filled_string(params.get(_LOWER_CASE_CARRIER)):
        carrier = _LOWER_CASE_CARRIER
    rest = {name: value for name, value in params.items() if name != carrier}
    return rest, _filled_string(params.get(carrier))


def verify(
    params: Mapping[str, Signable],
    presented: str,
    private_keys: Sequence[str],
    *,
    go_numbers: bool = True,
) -> bool:
    """Tell whether a signature fits the parameters under one of the keys that are live.

    Every accepted form is tried for the whole body, never a mixture, and each distinct text is hashed once. The
    comparisons take constant time and all are made, so the time tells nothing about form or key.

    Args:
        params: the parameters as received (flattened names stay flattened), without the signature.
        presented: the signature as received; upper-case digits are accepted, blanks are not.
        private_keys: the live secrets of the key pair; more than one while it is rotated.
        go_numbers: accept the number texts of the published Go signer as well.

    Raises:
        LoneSurrogate: a name or value cannot be written as UTF-8; `parse_body` gives no such parameters.
        TypeError: `private_keys` is one string, or a value has no JSON form.
        ValueError: a private key is empty or not text.
    """
    if isinstance(private_keys, str):
        raise TypeError("private_keys is a sequence of keys, not one key")
    keys = [_key_bytes(private_key) for private_key in private_keys]
    if not _SIGNATURE_TEXT.fullmatch(presented):
        return False
    folded = presented.lower()
    fits = False
    for pieces in _distinct_texts(params, go_numbers=go_numbers):
        for signature in _signatures(pieces, keys):
            fits |= hmac.compare_digest(signature, folded)
    return fits


def _filled_string(value: Signable) -> str | None:
    """The value if it is a string and not empty; a number is none, although its type is a `str`."""
    return value if value and isinstance(value, str) and not isinstance(value, NumberText) else None


def _key_bytes(private_key: str) -> bytes:
    if not private_key:
        raise ValueError("the private key is empty")
    try:
        return private_key.encode()
    except UnicodeEncodeError:
        # The codec's error would carry the key.
        raise ValueError("the private key is not UTF-8 text") from None


def _distinct_texts(params: Mapping[str, Signable], *, go_numbers: bool) -> list[list[str]]:
    """The accepted texts in pieces. Equal pieces are mostly the same objects, so comparing them is quick."""
    if all(type(value) is str for value in params.values()):
        return [list(canonical_pieces(params))]  # the forms differ in numbers and nulls alone
    texts: list[list[str]] = []
    for form in REQUIRED_FORMS + (GO_FORMS if go_numbers else ()):
        pieces = list(canonical_pieces(params, form))
        if pieces not in texts:
            texts.append(pieces)
    return texts


def _chunks(pieces: Iterable[str]) -> Iterator[str]:
    """The same text in chunks. Small pieces go together: each chunk lets other threads run, which has a price."""
    small: list[str] = []
    characters = 0
    for piece in pieces:
        characters += len(piece)
        if characters <= _CHUNK_CHARACTERS:
            small.append(piece)
            continue
        yield "".join(small)
        small, characters = [], 0
        for start in range(0, len(piece), _CHUNK_CHARACTERS):
            yield piece[start : start + _CHUNK_CHARACTERS]
    yield "".join(small)


def _signatures(pieces: Iterable[str], keys: Iterable[bytes]) -> Iterator[str]:
    """Sign one text with each of the keys.

    The text is hashed once for all keys, and chunk by chunk, so that a picture of many megabytes is not encoded as
    a whole.
    """
    text_hash = hashlib.sha1()
    for chunk in _chunks(pieces):
        try:
            text_hash.update(chunk.encode())
        except UnicodeEncodeError:
            raise LoneSurrogate from None
    for key in keys:
        keyed = text_hash.copy()
        keyed.update(key)
        yield keyed.hexdigest()
