"""TLS in front of a server that has none, with a certificate of an authority that nobody knows."""

import ipaddress
import socket
import ssl
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from typing_extensions import override

from tests.servers.relay import Passage, Relay

_CERTIFICATE_SIGNING = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
"""What an authority's certificate must say since Python 3.13 checks as RFC 5280 asks."""


class TlsPassage(Passage):
    @override
    def handle(self) -> None:
        with suppress(ssl.SSLError):
            super().handle()


class TlsRelay(Relay):
    def __init__(self, upstream: tuple[str, int], certificate: Path, key: Path) -> None:
        super().__init__(upstream)
        self.RequestHandlerClass = TlsPassage
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)

    @override
    def get_request(self) -> tuple[socket.socket, Any]:
        plain, address = super().get_request()
        return self.secured(plain, address[0]), address

    def secured(self, plain: socket.socket, host: str) -> socket.socket:
        """A connection from a host, with TLS."""
        # The handshake is left to the connection's own thread: a client that refuses must not end the others.
        return self._context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)


class OptionalTlsRelay(TlsRelay):
    """Speaks TLS with all but those at one address, whom it passes on as they are."""

    def __init__(self, upstream: tuple[str, int], certificate: Path, key: Path, *, in_the_clear: str) -> None:
        super().__init__(upstream, certificate, key)
        self.in_the_clear = in_the_clear

    @override
    def secured(self, plain: socket.socket, host: str) -> socket.socket:
        return plain if host == self.in_the_clear else super().secured(plain, host)


class HttpsProxy(TlsRelay):
    """Takes HTTPS and passes HTTP on, one request for each connection, with the headers that proxies add."""

    def __init__(self, upstream: tuple[str, int], certificate: Path, key: Path) -> None:
        super().__init__(upstream, certificate, key)
        self.RequestHandlerClass = _HttpsPassage
        self.url = self.url.replace("http", "https", 1)


class _HttpsPassage(TlsPassage):
    @override
    def opening(self) -> bytes:
        read = b""
        while b"\r\n\r\n" not in read:
            data = self.request.recv(65_536)
            if not data:
                return b""
            read += data
        head, _, rest = read.partition(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection: keep-alive")]
        name = f"127.0.0.1:{self.server.server_address[1]}"
        lines[1:1] = [b"X-Forwarded-Proto: https", f"X-Forwarded-Host: {name}".encode()]
        if b"upgrade: websocket" not in head.lower():
            lines.append(b"Connection: close")
        return b"\r\n".join(lines) + b"\r\n\r\n" + rest


def write_certificates(folder: Path, *names: str, address: str = "127.0.0.1") -> tuple[Path, Path, Path]:
    """Make an authority, and a certificate of it for an address, and for names where some are given."""
    authority_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority_name = _name("Authority of a test")
    authority = (
        _builder(authority_name, authority_name, authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_CERTIFICATE_SIGNING, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    server = (
        _builder(_name("Server of a test"), authority_name, server_key)
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.IPAddress(ipaddress.ip_address(address)), *map(x509.DNSName, names)]
            ),
            critical=False,
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
        )
        .sign(authority_key, hashes.SHA256())
    )
    paths = folder / "ca.pem", folder / "server.pem", folder / "server.key"
    texts = (
        authority.public_bytes(serialization.Encoding.PEM),
        server.public_bytes(serialization.Encoding.PEM),
        server_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )
    for path, text in zip(paths, texts, strict=True):
        path.write_bytes(text)
    return paths


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
    )
