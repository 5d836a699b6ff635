"""The default service: the one of the environment, or the stack that runs here."""

import os

from cutgate.errors import KeyPairMissing, ServiceNotNamed
from cutgate.local.data_folder import Account, DataDir, default_data_dir


def find_service(
    url: str | None = None, public_key: str | None = None, private_key: str | None = None
) -> tuple[str, Account]:
    """Complete a service's address and keys; given ones stay as they are.

    With an address, given or in CUTGATE_URL, the keys are those of CUTGATE_PUBLIC_KEY and CUTGATE_PRIVATE_KEY.
    Without one both are those of the stack that runs on the default data folder: its keys sign for nobody else.
    """
    if url is None:
        url = os.environ.get("CUTGATE_URL") or None
    if url is None:
        return _local(public_key, private_key)
    public_key = os.environ.get("CUTGATE_PUBLIC_KEY") if public_key is None else public_key
    private_key = os.environ.get("CUTGATE_PRIVATE_KEY") if private_key is None else private_key
    if public_key is None or private_key is None:
        raise KeyPairMissing(url)
    return url, Account(public_key, private_key)


def _local(public_key: str | None, private_key: str | None) -> tuple[str, Account]:
    """The stack of the default data folder, asked as its own account unless a key pair is given."""
    data = DataDir(default_data_dir())
    running, account = data.running(), data.account()
    if running is None or account is None:
        raise ServiceNotNamed(data.folder)
    if (public_key is None) != (private_key is None):
        raise KeyPairMissing(running.url)
    return running.url, Account(public_key or account.public_key, private_key or account.private_key)
