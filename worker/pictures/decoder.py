"""Decoding in a process of its own for each picture: what a picture does to its decoder, it does to nothing else.

A server that holds no secret, no connection and no thread forks a process for each picture, ahead of it: bytes go
in and pixels come out, in one file in memory. The kernel keeps that process to its memory and to what `sandbox`
allows, whatever native code it is in, and ends it before any other where the machine has no memory left. Whoever
asked kills it when its time is over.

`python -m cutgate.worker.pictures.decoder SOCKET SANDBOX` is the server.
"""

import fcntl
import gc
import io
import json
import math
import mmap
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from base64 import b64decode
from contextlib import ExitStack, suppress
from dataclasses import asdict
from functools import partial
from io import FileIO
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cutgate.jobs.errors import (
    CutoutError,
    DecodingStopped,
    SourceTooCostly,
    SourceTooLarge,
    SourceUndecodable,
    SourceUnreadable,
)
from cutgate.jobs.limits import SourceLimits
from cutgate.worker.pictures.images import FORMATS, SourceImage, read_image
from cutgate.worker.pictures.metadata import Rights
from cutgate.worker.pictures.sandbox import Sandbox, can_confine, confine

_ERRORS: Final[dict[str, type[CutoutError]]] = {
    error.kind: error
    for error in (SourceUnreadable, SourceTooLarge, SourceTooCostly, SourceUndecodable, DecodingStopped)
}
_MEASURED: Final = frozenset({SourceTooLarge, SourceTooCostly})
"""Those whose message follows from their facts."""
_INHERITED: Final = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL")
"""What of the environment a decoder is told: nothing else, since the rest holds passwords."""
_OWN: Final = {"OPENBLAS_NUM_THREADS": "1", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
"""What it is told besides. Each decoder's memory is fresh, and large pages come at less than half the time."""
_HEIC: Final = b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAVZtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAA"
    "ACJpbG9jAAAAAERAAAEAAQAAAAABegABAAAAAAAAABIAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRt"
    "AAAAAAABAAAA1mlwcnAAAAC3aXBjbwAAAHhodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMA"
    "AAMAHroCQGEAAQArQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbqSSmubgIaDAgAAAMAyAAAAwAIQGIAAQAHRAHBcrAiQAAAABNjb2xy"
    "bmNseAABAA0ABoAAAAAUaXNwZQAAAAAAAABAAAAAQAAAABBwaXhpAAAAAAMICAgAAAAXaXBtYQAAAAAAAAABAAEEgQIDBAAAABpt"
    "ZGF0AAAADigBrwVY/V1XcH/CkbvB"
)
"""A black picture: HEIC is read here and never written, so the package's encoder is not needed."""
_ANSWER_CHARACTERS: Final = 65_536
_BYTES_PER_PIXEL: Final = 10
"""Colours at 8 bits and at 16, and alpha."""
DECODE_SECONDS: Final = 20.0
"""Timeout of decoding a picture: a bad one holds a worker no longer."""
_ATTEMPTS: Final = 2
"""The kernel may have ended a decoder for the memory that others took."""
_START_SECONDS: Final = 60.0
_DEATH_SECONDS: Final = 0.5
"""How long a process that is killed may take to end."""
_SEALS: Final = (
    fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
    if sys.platform == "linux"
    else 0
)
"""Nothing in a file in memory changes any more. Another system has no such files."""
_ADVICE: Final = "save it again as a plain PNG or JPEG, or with fewer pixels"
_TOO_LONG: Final = "decoding the picture takes longer than {:g} seconds; " + _ADVICE
_TOO_MUCH: Final = "decoding the picture takes more than {} MiB of memory; " + _ADVICE
NOT_CONFINED: Final = (
    "the kernel does not confine decoders of pictures, which CUTGATE_DECODER_SANDBOX=require demands: "
    "allow seccomp, or set it to try"
)
_CONFINED, _UNCONFINED = b"c", b"u"
"""What a server says when it is ready."""
_CLOSED: Final = b"c"
"""What a process that was forked ahead says where no picture comes any more."""
_BROKEN: Final = "the picture breaks its decoder; " + _ADVICE


class Decoder:
    """Reads pictures as `read_image` does, from any thread, each in a process of its own."""

    def __init__(
        self, max_seconds: float, max_bytes: int, sandbox: Sandbox = Sandbox.TRY, module: str = __name__
    ) -> None:
        self._max_seconds, self._max_bytes, self._sandbox = max_seconds, max_bytes, sandbox
        self._lock = threading.Lock()
        self._start = partial(_Server, module, sandbox)
        self._server = self._start()

    def require(self) -> bool:
        """Wait until the server is ready, and start it anew if it has died.

        Returns:
            Whether decoders are confined.

        Raises:
            RuntimeError: it does not start, or the kernel does not confine it where it must.
        """
        with self._lock:
            if self._server.is_dead():
                self._server.close()
                self._server = self._start()
            is_confined = self._server.require()
        if self._sandbox is Sandbox.REQUIRE and not is_confined:
            raise RuntimeError(NOT_CONFINED)
        return is_confined

    def close(self) -> None:
        """End the server."""
        self._server.close()

    def read_image(
        self, data: bytes, limits: SourceLimits, *, keep_rgb_profile: bool = False, keep_16_bit: bool = False
    ) -> SourceImage:
        """As `images.read_image`.

        Raises:
            DecodingStopped: it took more time or memory than is allowed, or broke its process twice.
        """
        request = {
            "limits": asdict(limits),
            "options": {"keep_rgb_profile": keep_rgb_profile, "keep_16_bit": keep_16_bit},
            "max_seconds": self._max_seconds,
            "max_bytes": self._max_bytes,
        }
        for _ in range(_ATTEMPTS):
            self.require()
            with _memory_file() as file:
                file.write(data)
                started = time.monotonic()
                try:
                    answer = self._server.ask(file, request, self._max_seconds)
                    return _source(answer, file, limits)
                except (OSError, EOFError):
                    if time.monotonic() - started >= self._max_seconds:
                        raise DecodingStopped(_TOO_LONG.format(self._max_seconds)) from None
        if self._server.is_dead(within_seconds=_DEATH_SECONDS):
            raise RuntimeError("the server of the decoders has died")
        raise DecodingStopped(_BROKEN)


class _Server:
    """The process that forks, as its user sees it."""

    def __init__(self, module: str, sandbox: Sandbox) -> None:
        self._channel, theirs = socket.socketpair()
        self._greeting = b""
        command = [sys.executable, "-m", module, str(theirs.fileno()), sandbox]
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        with theirs:
            self._process = subprocess.Popen(
                command,
                env=environment | _OWN,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def is_dead(self, within_seconds: float = 0) -> bool:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(within_seconds)
        return self._process.returncode is not None

    def require(self) -> bool:
        """Wait until it is ready; whether its decoders are confined."""
        self._channel.settimeout(_START_SECONDS)
        self._greeting = self._greeting or self._channel.recv(1)
        if not self._greeting:
            raise RuntimeError("the server of the decoders does not start")
        return self._greeting == _CONFINED

    def ask(self, file: FileIO, request: dict[str, object], timeout_seconds: float) -> dict[str, Any]:
        """What a process that is there for it alone answers to a request; that process is over then."""
        ours, theirs = socket.socketpair()
        ours.settimeout(timeout_seconds)
        with ExitStack() as stack:
            stack.enter_context(ours)
            with theirs:
                socket.send_fds(self._channel, [b"\0"], [theirs.fileno(), file.fileno()])
            _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
            for pid_descriptor in descriptors:
                stack.callback(_kill, pid_descriptor)
            stream = stack.enter_context(ours.makefile("rw"))
            stream.write(json.dumps(request) + "\n")
            stream.flush()
            try:
                answer: dict[str, Any] = json.loads(stream.readline(_ANSWER_CHARACTERS))
            except ValueError:
                raise EOFError from None
            return answer

    def close(self) -> None:
        self._channel.close()
        self._process.wait()


def _kill(pid_descriptor: int) -> None:
    """End a process, which cannot refuse it, and let go of it."""
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(pid_descriptor, signal.SIGKILL)
    os.close(pid_descriptor)


def _source(answer: dict[str, Any], file: FileIO, limits: SourceLimits) -> SourceImage:
    """The picture that an answer describes. It is not trusted: the decoder may be the picture's by then."""
    try:
        if "kind" in answer:
            raise _error(answer)
        height_px, width_px = (int(side_px) for side_px in answer["size"])
        if min(height_px, width_px) < 1 or height_px * width_px > limits.max_pixels:
            raise EOFError
        contents = _Contents(_sealed(file))
        return SourceImage(
            samples=contents.array((height_px, width_px, 3), np.uint16) if answer["samples"] else None,
            rgb=contents.array((height_px, width_px, 3), np.uint8),
            alpha=contents.array((height_px, width_px), np.uint8) if answer["alpha"] else None,
            icc_profile=contents.rest(limits.max_bytes) or None,
            dpi=None if answer["dpi"] is None else (float(answer["dpi"][0]), float(answer["dpi"][1])),
            rights=None if answer["rights"] is None else Rights(*map(str, answer["rights"])),
        )
    except (ValueError, TypeError, LookupError):
        raise EOFError from None


def _error(answer: dict[str, Any]) -> CutoutError:
    error, details = _ERRORS[answer["kind"]], answer["details"]
    return error(**details) if error in _MEASURED else error(answer["message"], **details)


class _Contents:
    """What lies one after the other in a file."""

    def __init__(self, buffer: mmap.mmap | bytes) -> None:
        self._buffer, self._place = buffer, 0

    def array(self, shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]:
        """The next array, which is not copied."""
        array = np.frombuffer(self._buffer, dtype, math.prod(shape), self._place).reshape(shape)
        self._place += array.nbytes
        return array

    def rest(self, most_bytes: int) -> bytes:
        """What lies behind the arrays."""
        return self._buffer[self._place : self._place + most_bytes]


def _sealed(file: FileIO) -> mmap.mmap | bytes:
    """The contents of a file that nobody can change any more; where a file cannot be sealed, a copy of them.

    The decoder still has the file. It could cut it short, which would end this process at the next pixel.
    """
    if not _SEALS:
        file.seek(0)
        return file.readall()
    fcntl.fcntl(file, fcntl.F_ADD_SEALS, _SEALS)
    return mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE | mmap.MAP_POPULATE, mmap.PROT_READ)


def _memory_file() -> FileIO:
    """A file that only those see who are given it; in memory where the kernel has such."""
    if _SEALS:
        return FileIO(os.memfd_create("picture", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), "r+")
    with tempfile.TemporaryFile() as file:
        return FileIO(os.dup(file.fileno()), "r+")


def serve(channel: socket.socket, sandbox: Sandbox) -> None:
    """Fork a process for each connection that comes over a socket, until that closes."""
    is_confined = sandbox is not Sandbox.OFF and can_confine()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel forgets children by itself
    _warm_up()
    channel.sendall(_CONFINED if is_confined else _UNCONFINED)
    while _fork_one(channel, is_confined=is_confined):
        pass


def _fork_one(channel: socket.socket, *, is_confined: bool) -> bool:
    """Fork a process ahead of its picture, and wait until it has one; False where none will come any more."""
    told, tells = os.pipe()
    with FileIO(told) as news, FileIO(tells, "w") as to_server:
        if os.fork() == 0:
            try:
                _take_one(channel, to_server, is_confined=is_confined)
            finally:
                os._exit(0)
        to_server.close()
        return news.read(1) != _CLOSED


def _take_one(channel: socket.socket, to_server: FileIO, *, is_confined: bool) -> None:
    """Wait for a connection, let the server fork the next process, and answer."""
    _, descriptors, _, _ = socket.recv_fds(channel, 1, 2)
    if not descriptors:
        to_server.write(_CLOSED)
        return
    channel.close()
    to_server.close()
    with socket.socket(fileno=descriptors[0]) as connection, FileIO(descriptors[1], "r+") as file:
        own = [os.pidfd_open(os.getpid())] if sys.platform == "linux" else []
        socket.send_fds(connection, [b"\0"], own)
        _answer(connection, file, is_confined=is_confined)


def _warm_up() -> None:
    """Have libraries make once what each process would make anew, and load what one that is confined cannot."""
    limits = SourceLimits(max_bytes=2**20, max_pixels=2**12, max_side_px=2**6)
    read_image(_HEIC, limits)
    for decoder in FORMATS.values():
        if decoder != "HEIF":
            file = io.BytesIO()
            Image.new("RGB", (32, 32)).save(file, decoder)
            read_image(file.getvalue(), limits)
    gc.freeze()


def _answer(connection: socket.socket, file: FileIO, *, is_confined: bool) -> None:
    """Decode one picture, as the process that is there for it alone."""
    with connection.makefile("rw") as stream:
        request = json.loads(stream.readline())
        limits, max_bytes = SourceLimits(**request["limits"]), request["max_bytes"]
        file.seek(0)
        data = file.readall()
        _limit(request["max_seconds"], max_bytes, _BYTES_PER_PIXEL * limits.max_pixels + limits.max_bytes)
        if is_confined:
            confine()
        try:
            source = read_image(data, limits, **request["options"])
        except CutoutError as error:
            answer: dict[str, Any] = asdict(error.facts())
        except MemoryError:
            answer = asdict(DecodingStopped(_TOO_MUCH.format(max_bytes // 2**20)).facts())
        else:
            answer = _written(source, file)
        stream.write(json.dumps(answer) + "\n")


def _written(source: SourceImage, file: FileIO) -> dict[str, Any]:
    """Put a picture into a file; returns what describes it."""
    file.seek(0)
    file.truncate()
    for array in (source.samples, source.rgb, source.alpha):  # two bytes a sample begin at an even place
        if array is not None:
            file.write(np.ascontiguousarray(array).data.cast("B"))
    file.write(source.icc_profile or b"")
    return {
        "size": source.rgb.shape[:2],
        "alpha": source.alpha is not None,
        "samples": source.samples is not None,
        "dpi": source.dpi,
        "rights": None if source.rights is None else (source.rights.artist, source.rights.copyright),
    }


def _limit(max_seconds: float, max_bytes: int, max_file_bytes: int) -> None:
    """Give this process its limits, and no way to fill a log."""
    for limit, value in (
        (resource.RLIMIT_DATA, max_bytes),
        (resource.RLIMIT_FSIZE, max_file_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(null, stream)
    with suppress(OSError):  # where there is no such file, the kernel has no such choice
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")
    # Whoever asked kills this process; the clock ends it where they have died themselves.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, max_seconds)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        serve(channel, Sandbox(sys.argv[2]))
