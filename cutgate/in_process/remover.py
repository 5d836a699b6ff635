"""A network that the caller's process holds, and the function that holds one for whoever just wants a cut-out."""

from __future__ import annotations

import os
import sys
import threading
from functools import cache
from typing import TYPE_CHECKING, Final, Self, Unpack

from cutgate.errors import NetworkUnavailable
from cutgate.in_process.cutout import Cutout
from cutgate.in_process.options import CutoutOptions
from cutgate.local.parts import require_parts

if TYPE_CHECKING:
    from collections.abc import Callable

    from cutgate.in_process.job import Network
    from cutgate.pictures import Picture
    from cutgate.worker.settings import WorkerSettings

_HELD: Final[list[int]] = []
"""The process that loaded the first network: its own id, or that of the one that it was forked from."""


class Remover:
    """Removes backgrounds with one network, which is loaded at the first use; use it from any number of threads.

    with Remover(model="best") as remover:
        for path in paths:
            remover.remove_background(path).save(path.with_suffix(".png"))

    The block's end releases the network's memory. Settings of a worker count here as well, by their environment
    variables: `CUTGATE_ENGINE`, `CUTGATE_DEVICE`, `CUTGATE_MODELS_DIR`, `CUTGATE_MAX_SOURCE_PIXELS` and others.
    Threads wait where their pictures together, those of all removers, have more than `CUTGATE_PIXELS_AT_ONCE`.

    Args:
        model: a preset (`fast`, `exact`, `best`), a model, or one with its precision, such as
            `isnet-general-use:fast`; as `CUTGATE_MODEL` and `CUTGATE_PRECISION` say otherwise.
        threads: of the network on the processor; as `CUTGATE_THREADS` says otherwise, else all that there are.
        on_line: called with each line about weights that are fetched; they go to standard error otherwise.
    """

    def __init__(
        self,
        *,
        model: str | None = None,
        threads: int | None = None,
        on_line: Callable[[str], object] | None = None,
    ) -> None:
        self._model, self._threads, self._on_line = model, threads, on_line or _print_to_stderr
        self._turn = threading.Lock()
        self._network: Network | None = None
        self._closed = False

    def __repr__(self) -> str:
        return f"Remover(model={self._model!r}, threads={self._threads!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the network, as soon as no thread uses it any more."""
        with self._turn:
            self._closed, self._network = True, None

    def settings(self) -> WorkerSettings:
        """A worker's settings with this network's model and threads; read without loading it.

        Raises:
            PartsMissing: the libraries of the worker are not installed.
            ValueError: a setting is wrong, or there is no such model.
        """
        require_parts("worker")
        from cutgate.jobs.settings import WrongSettings, load_settings
        from cutgate.jobs.spec import ModelChoice
        from cutgate.worker.settings import WorkerSettings

        try:
            settings = load_settings(WorkerSettings)
        except WrongSettings as error:
            raise ValueError(f"wrong settings\n{error}") from None
        if self._threads is not None:
            settings = settings.model_copy(update={"threads": self._threads})
        return settings.for_choice(ModelChoice.parse(self._model) if self._model else settings.choices[0])

    def load(self) -> Network:
        """Load the network now, fetching its weights where they are not here; once, whoever calls.

        Raises:
            PartsMissing: the libraries of the worker are not installed.
            NetworkUnavailable: the network cannot be had or run here; the text says why and what to do.
            ValueError: a setting is wrong, there is no such model, or the remover is closed.
        """
        _require_no_fork()
        with self._turn:
            if self._closed:
                raise ValueError("the remover is closed")
            if self._network is None:
                settings = self.settings()
                from cutgate.in_process.job import Network

                self._network = Network.load(settings, self._on_line)
                _HELD.append(os.getpid())
            return self._network

    def remove_background(self, picture: Picture, **options: Unpack[CutoutOptions]) -> Cutout:
        """Cut the subject out of a picture.

        Args:
            picture: a file's name, its bytes, a file open for reading, a Pillow picture, or an array: (height,
                width), or (height, width, 1, 3 or 4) with straight alpha as the fourth; uint8 or uint16, sRGB.
            options: how, see `CutoutOptions`; the names are those of `Client.remove_background`.

        Raises:
            PartsMissing, NetworkUnavailable: as `load`.
            CutoutFailed: it is no picture that can be read, is over a limit, or the box is outside it.
            OSError: the file cannot be read.
            TypeError: it is nothing of the above, or there is no such option.
            ValueError: an option is wrong, or an array's shape.
        """
        return self.load().cut_out(picture, options)


def remove_background(picture: Picture, *, model: str | None = None, **options: Unpack[CutoutOptions]) -> Cutout:
    """Cut the subject out of a picture, in this process.

    The network is loaded at the first call and stays, one for each `model` that is named; `Remover` lets go of it.

    Args:
        picture: as `Remover.remove_background` takes it.
        model: as `Remover` takes it.
        options: as `Remover.remove_background` takes them.

    Raises:
        PartsMissing, NetworkUnavailable, CutoutFailed, OSError, TypeError, ValueError: as
            `Remover.remove_background`.
    """
    return _kept(model=model).remove_background(picture, **options)


_kept: Final = cache(Remover)


def _print_to_stderr(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _require_no_fork() -> None:
    """Refuse to compute where that would hang: an engine's threads, once started, are not there after a fork."""
    if _HELD and _HELD[0] != os.getpid():
        raise NetworkUnavailable(
            "this process was forked from one that had loaded a network",
            advice="load it in the processes that use it alone, or start them by multiprocessing's `spawn`",
        )
