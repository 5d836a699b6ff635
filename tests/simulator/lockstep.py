"""Actors that run one at a time: real code in threads, of which each goes on only when it is told to."""

import threading
from collections.abc import Callable
from contextvars import copy_context


class Crashed(BaseException):
    """An actor ends here, between two of its steps, and does nothing any more."""


class Actor:
    """Code that stops before each of its steps until the schedule lets it go on."""

    def __init__(self, name: str, life: Callable[[], object]) -> None:
        self.name, self._life = name, life
        self.ended = self.crashed = self._dies = False
        self.error: BaseException | None = None
        """What its life ended with."""
        self.at = "begin"
        """The step that it is about to take."""
        self._go, self._stop = threading.Lock(), threading.Lock()
        self._go.acquire()
        self._stop.acquire()
        threading.Thread(target=copy_context().run, args=[self._run], name=name, daemon=True).start()

    def _run(self) -> None:
        self._go.acquire()
        try:
            if not self._dies:
                self._life()
        except Crashed:
            self.crashed = True
        except BaseException as error:
            self.error = error
        finally:
            self.ended, self.at = True, "end"
            self._stop.release()

    def step(self) -> None:
        """Let it take its next step; for the schedule."""
        self._go.release()
        self._stop.acquire()

    def pause(self, at: str) -> None:
        """Wait for the next step; for the actor itself."""
        self.at = at
        self._stop.release()
        self._go.acquire()
        if self._dies:
            raise Crashed

    def crash(self) -> None:
        """End it where it stands: whatever it still tries raises as well."""
        self._dies = True
        while not self.ended:
            self.step()
