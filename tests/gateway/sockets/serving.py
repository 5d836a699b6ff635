"""An application behind its server in this process, and a caller over a WebSocket."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from cutgate.gateway.serving.app import PARTS
from cutgate.gateway.sockets.hub import Sockets
from tests.gateway.runware.service import Item, Service, authentication
from tests.waiting import eventually

ANSWER_SECONDS = 30
"""Generous: machines that run tests are busy."""


def sockets_of(app: Flask) -> Sockets:
    sockets = app.extensions[PARTS].sockets
    assert isinstance(sockets, Sockets)
    return sockets


def wait_for_items(service: Service, count: int = 1) -> None:
    """Wait until the ledger has so many items that wait."""
    eventually(lambda: service.store.waiting(service.lane) >= count)


def with_settings(**changes: Any) -> pytest.MarkDecorator:
    """Let the fixtures of a test have a service with these settings."""
    return pytest.mark.parametrize("service", [changes], indirect=True, ids=[""])


@dataclass
class Caller:
    """One end of a WebSocket."""

    connection: ClientConnection
    session: str = ""
    """The session's UUID, once it is authenticated."""

    def send(self, *tasks: Item) -> None:
        self.connection.send(json.dumps(tasks))

    def next(self, timeout_seconds: float = ANSWER_SECONDS) -> Item:
        """The next frame, which holds either data or errors."""
        text = self.connection.recv(timeout_seconds)
        assert isinstance(text, str)
        frame = json.loads(text)
        assert isinstance(frame, dict)
        return frame

    def _item(self, kind: str) -> Item:
        frame = self.next()
        assert list(frame) == [kind], frame
        (item,) = frame[kind]
        assert isinstance(item, dict)
        return item

    def data(self) -> Item:
        """The one item of the next frame."""
        return self._item("data")

    def error(self) -> Item:
        """The one error of the next frame."""
        return self._item("errors")

    def refused(self, *tasks: Item) -> str:
        """Send tasks and take the code of what is told instead of an answer."""
        self.send(*tasks)
        return str(self.next()["errors"][0]["code"])

    def ping(self) -> None:
        """See that the connection lives."""
        assert self.ask({"taskType": "ping", "ping": True}) == {"taskType": "ping", "pong": True}

    def ask(self, *tasks: Item) -> Item:
        """Send tasks and take one item."""
        self.send(*tasks)
        return self.data()

    def authenticate(self, api_key: str, session: str | None = None) -> str:
        """The session's UUID."""
        resumed = {} if session is None else {"connectionSessionUUID": session}
        answer = self.ask(authentication(api_key) | resumed)
        assert set(answer) == {"taskType", "connectionSessionUUID"}
        self.session = str(answer["connectionSessionUUID"])
        return self.session

    def is_silent(self, seconds: float = 0.3) -> bool:
        try:
            self.connection.recv(seconds)
        except TimeoutError:
            return True
        return False

    def close_code(self) -> int | None:
        """What the server closes the connection with."""
        try:
            while True:
                self.connection.recv(ANSWER_SECONDS)
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd is not None else None

    def vanish(self) -> None:
        """Break the connection off, without a close frame."""
        self.connection.socket.shutdown(socket.SHUT_RDWR)


@contextmanager
def calling(address: str, path: str = "/v1", **options: Any) -> Iterator[Caller]:
    """A connection."""
    options = {"max_size": None, "open_timeout": ANSWER_SECONDS, "close_timeout": 2} | options
    with connect(f"ws://{address}{path}", **options) as connection:
        yield Caller(connection)


@contextmanager
def admitted(address: str, service: Service, session: str | None = None, **options: Any) -> Iterator[Caller]:
    """A connection that is authenticated."""
    with calling(address, **options) as caller:
        caller.authenticate(service.api_key, session)
        yield caller


def lost_session(address: str, service: Service, *tasks: Item) -> str:
    """The session of a connection that broke off once these tasks were accepted."""
    with admitted(address, service) as caller:
        for number, task in enumerate(tasks):
            caller.send(task)
            wait_for_items(service, number + 1)
        caller.vanish()
    return caller.session
