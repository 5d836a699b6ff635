"""Addresses of servers behind Redis Sentinel, which knows the current master."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import parse_qsl, quote, unquote, urlsplit

SCHEME: Final = "sentinel"
TLS_SCHEME: Final = "rediss+sentinel"
_DEFAULT_PORT: Final = 26_379
_OPTIONS: Final = frozenset({"service", "sentinel_password"})
_TLS_OPTIONS: Final = frozenset(
    {"ssl_ca_certs", "ssl_ca_path", "ssl_cert_reqs", "ssl_certfile", "ssl_check_hostname", "ssl_keyfile"}
)
"""Those of `rediss://` that a URL can say, under redis-py's names."""
_CERT_REQS: Final = frozenset({"none", "optional", "required"})
_TRUTHS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
# Not by urlsplit: newer Pythons refuse a list of hosts in which a bracketed one is not the first.
_FORM: Final = re.compile(
    rf"(?P<scheme>{SCHEME}|{re.escape(TLS_SCHEME)})://"
    r"(?:(?P<login>[^/?]*)@)?(?P<hosts>[^@/?]+)(?:/(?P<database>[0-9]*))?\?(?P<query>.+)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentinels:
    """`sentinel://[[<user>]:<password>@]<host>[:<port>],.../<database>?service=<name>[&sentinel_password=...]`.

    User and password are the server's. Each text may be percent-encoded. `rediss+sentinel://` is the same with
    TLS, to the sentinels and to the server that they name, with options of `rediss://`, such as `ssl_ca_certs`.
    """

    nodes: tuple[tuple[str, int], ...]
    """Host and port of each sentinel."""
    service: str
    """What the sentinels call the server."""
    database: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    sentinel_password: str | None = field(default=None, repr=False)
    """The sentinels' own, where they have one."""
    tls: Mapping[str, str | bool] | None = None
    """How certificates are checked, as redis-py and Celery take it; None without TLS."""

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read the form above.

        Raises:
            ValueError: it is not that form; the message does not repeat it, for it may hold passwords.
        """
        form = _FORM.fullmatch(url)
        if form is None:
            raise _not_one()
        try:
            options = dict(parse_qsl(form["query"], strict_parsing=True))
            nodes = tuple(_node(host) for host in form["hosts"].split(","))
        except ValueError:
            raise _not_one() from None
        with_tls = form["scheme"] == TLS_SCHEME
        if not options.get("service") or options.keys() - _OPTIONS - (_TLS_OPTIONS if with_tls else set()):
            raise _not_one()
        username, _, password = (form["login"] or "").partition(":")
        return cls(
            nodes=nodes,
            service=options["service"],
            database=int(form["database"] or 0),
            username=unquote(username) or None,
            password=unquote(password) or None,
            sentinel_password=options.get("sentinel_password"),
            tls=_tls(options) if with_tls else None,
        )

    def tls_options(self) -> dict[str, str | bool]:
        """What a client of redis-py is told about TLS, to a sentinel or to the server; nothing without it."""
        return {} if self.tls is None else {"ssl": True, **self.tls}

    def broker_url(self) -> str:
        """The same for Celery, which is told the service apart from it."""
        login = ""
        if self.password is not None:
            login = f"{quote(self.username or '', safe='')}:{quote(self.password, safe='')}@"
        return ";".join(
            f"{SCHEME}://{login}{_bracketed(host)}:{port}/{self.database}" for host, port in self.nodes
        )


def is_sentinel_url(url: str) -> bool:
    """Whether a URL is to be read as `Sentinels`."""
    return url.startswith((f"{SCHEME}://", f"{TLS_SCHEME}://"))


def _node(text: str) -> tuple[str, int]:
    """One host with its port; an IPv6 address stands in brackets."""
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError("a host is missing")
    return parts.hostname, parts.port or _DEFAULT_PORT


def _tls(options: Mapping[str, str]) -> dict[str, str | bool]:
    """How to check certificates: with their names, unless told otherwise. Celery takes an empty one for no TLS."""
    tls: dict[str, str | bool] = {name: options[name] for name in sorted(_TLS_OPTIONS & options.keys())}
    if tls.setdefault("ssl_cert_reqs", "required") not in _CERT_REQS:
        raise ValueError("ssl_cert_reqs must be none, optional or required")
    if "ssl_check_hostname" in options:
        if options["ssl_check_hostname"].lower() not in _TRUTHS:
            raise ValueError("ssl_check_hostname must be true or false")
        tls["ssl_check_hostname"] = _TRUTHS[options["ssl_check_hostname"].lower()]
    return tls


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _not_one() -> ValueError:
    return ValueError(
        "not a URL of sentinels: sentinel://host:26379,host2:26379/0?service=name, or with TLS "
        "rediss+sentinel://host:26379,host2:26379/0?service=name&ssl_ca_certs=/path/ca.pem"
    )
