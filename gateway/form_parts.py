"""Parts of multipart forms, whatever they say of a file's name and type."""

from collections.abc import Iterator
from typing import IO, Final

from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder

MOST_FIELDS: Final = 100
_CHUNK_BYTES: Final = 2**16


def multipart(file: IO[bytes], boundary: str) -> Iterator[tuple[str, bytes]]:
    """Names and contents of a form's parts, in their order; a picture may come without a file's name.

    Args:
        file: the body.
        boundary: what Content-Type says stands between the parts.

    Raises:
        ValueError: the body is no such form, or there is no boundary.
        RequestEntityTooLarge: it has more parts, or a longer head of one, than forms need.
    """
    if not boundary:
        raise ValueError("there is no boundary")
    # What it holds at a time: contents pass through, but a part's head is taken apart as a whole.
    decoder = MultipartDecoder(boundary.encode("latin-1"), 2 * _CHUNK_BYTES, max_parts=MOST_FIELDS)
    name, content = "", bytearray()
    while True:
        match decoder.next_event():
            case Field() | File() as part:
                name, content = part.name or "", bytearray()
            case Data(data, more_data):
                content += data
                if not more_data:
                    yield name, bytes(content)
                    content = bytearray()
            case Epilogue():
                return
            case _:
                decoder.receive_data(file.read(_CHUNK_BYTES) or None)
