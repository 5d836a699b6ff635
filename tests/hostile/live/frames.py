"""WebSocket frames to the running gateway: of every kind, cut anywhere, and from peers that never read."""

import base64
import json
import random
import socket
import struct
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from tests.hostile.judgement import Findings, Outcome
from tests.hostile.live.peers import ANSWER_SECONDS, connected
from tests.hostile.live.service import Target
from tests.hostile.texts import make_runware

AT_ONCE: Final = 8
FLOOD_EVERY: Final = 200
"""Of so many peers one does not read, and sends for as long as it is listened to."""
FLOOD_BYTES: Final = 96 * 2**20
FLOOD_SECONDS: Final = 1.0
"""Without progress after which such a peer gives up."""
_TEXT, _CLOSE, _PING = 1, 8, 9
_OPCODES: Final = (0, 1, 1, 1, 2, 3, 8, 9, 10, 11, 15)
_LENGTHS: Final = (0, 1, 2, 125, 126, 127, 200, 65_535, 65_536, 2**20 + 1)
_STATED: Final = (0, 2**20 + 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1)
_PAYLOADS: Final = (
    b'[{"taskType":"ping"}]',
    b'{"taskType":"authentication","apiKey":"x"}',
    b'{"taskType":"authentication","apiKey":"x","connectionSessionUUID":"y"}',
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\x03\xe8bye",
    b"\x03\xec",
    b"\0",
)
_MASK: Final = b"\1\2\3\4"


def attack(target: Target, findings: Findings, chance: random.Random, count: int) -> None:
    """Send so many sequences of frames, each over a connection of its own; some of them read nothing."""
    seeds = [random.Random(chance.getrandbits(64)) for _ in range(count)]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        done = [threads.submit(_tried, target, each, number) for number, each in enumerate(seeds)]
        findings.add_all(each.result() for each in done)


def _tried(target: Target, chance: random.Random, number: int) -> Outcome:
    turn, rest = divmod(number, FLOOD_EVERY)
    try:
        size_bytes, fault = _flood(target, chance, turn) if not rest else _converse(target, chance)
    except OSError:  # refused, or hung up on: the service may do so
        return Outcome(number=number, refused=True)
    return Outcome(number=number, size_bytes=size_bytes, fault=fault)


def frame(
    payload: bytes, opcode: int = _TEXT, *, final: bool = True, masked: bool = True, reserved: int = 0
) -> bytes:
    """A frame with its own length."""
    head = _head(len(payload), opcode, final=final, masked=masked, reserved=reserved)
    return head + (_masked(payload) if masked else payload)


def _head(length: int, opcode: int, *, final: bool, masked: bool, reserved: int) -> bytes:
    first, mask = final << 7 | reserved << 4 | opcode, masked << 7
    if length < 126:
        return bytes([first, mask | length])
    if length < 2**16:
        return bytes([first, mask | 126]) + struct.pack(">H", length)
    return bytes([first, mask | 127]) + struct.pack(">Q", length)


def _masked(payload: bytes) -> bytes:
    size = len(payload)
    key = int.from_bytes((_MASK * (size // 4 + 1))[:size])
    return _MASK + (int.from_bytes(payload) ^ key).to_bytes(size)


def _any_frame(chance: random.Random) -> bytes:
    payload = make_runware(chance, 0) if chance.random() < 0.3 else chance.choice(_PAYLOADS)
    if chance.random() < 0.3:
        length = chance.choice(_LENGTHS)
        payload = (payload * (length // max(1, len(payload)) + 1))[:length]
    if chance.random() < 0.05:
        stated = chance.choice(_STATED)
        head = _head(stated, chance.choice(_OPCODES), final=True, masked=True, reserved=0)
        return head + _MASK + payload[:1_000]
    return frame(
        payload,
        chance.choice(_OPCODES),
        final=chance.random() < 0.7,
        masked=chance.random() < 0.95,
        reserved=chance.choice((0,) * 12 + (1, 2, 4, 7)),
    )


def _upgraded(connection: socket.socket, target: Target, *, admitted: bool) -> bool:
    """Ask for a WebSocket, and show a key where that is wanted; False when there is no place."""
    key = base64.b64encode(bytes(16)).decode()
    connection.sendall(
        b"GET /v1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key.encode() + b"\r\n\r\n"
    )
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(2**12)
        if not piece:
            return False
        head += piece
    if admitted:
        task = {"taskType": "authentication", "apiKey": target.api_key}
        connection.sendall(frame(json.dumps(task).encode()))
    return b" 101 " in head


def _converse(target: Target, chance: random.Random) -> tuple[int, str]:
    """Frames and a close frame; the connection must end."""
    data = b"".join(_any_frame(chance) for _ in range(chance.choice((1, 2, 5, 20))))
    if chance.random() < 0.1:
        data = chance.randbytes(200)
    with connected(target, chance) as connection:
        if not _upgraded(connection, target, admitted=chance.random() < 0.3):
            return 0, ""
        step = chance.choice((7, 100, 2**16)) if len(data) < 5_000 else 2**16
        for start in range(0, len(data), step):
            connection.sendall(data[start : start + step])
        connection.sendall(frame(b"\x03\xe8", _CLOSE))
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(ANSWER_SECONDS)
        try:
            while connection.recv(2**16):
                pass
        except TimeoutError:
            return len(data), f"no end within {ANSWER_SECONDS:g} s of a close frame"
        return len(data), ""


_PINGS: Final = b"[" + b",".join([b'{"taskType":"ping"}'] * 50) + b"]"
_REFUSED: Final = b"[" + b",".join([b'{"taskType":"a"}'] * 32) + b"]"


def _flood(target: Target, chance: random.Random, turn: int) -> tuple[int, str]:
    """What is answered at once, again and again, from a peer that does not read; every other one shows a key."""
    one = (frame(bytes(125), _PING), frame(_PINGS), frame(_REFUSED))[turn // 2 % 3]
    piece = one * (2**16 // len(one))
    with connected(target, chance, buffer_bytes=2_048) as connection:
        if not _upgraded(connection, target, admitted=turn % 2 == 0):
            return 0, ""
        connection.settimeout(FLOOD_SECONDS)
        sent = 0
        with suppress(TimeoutError):  # it reads no further: that is right
            while sent < FLOOD_BYTES:
                connection.sendall(piece)
                sent += len(piece)
    return sent, ""
