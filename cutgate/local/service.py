"""The default service: the one of the environment, or the stack that runs here."""

import os

from cutgate.errors import KeyPairMissing, ServiceNotNamed
from cutgate.local.data_folder import DataDir, default_data_dir


def find_service(
    url: str | None = None, public_key: str | None = None, private_key: str | None = None
) -> tuple[str, str, str]:
    """Complete a service's address, public and private key; given ones stay as they are.

    With an address, given or in CUTGATE_URL, the keys are those of CUTGATE_PUBLIC_KEY and CUTGATE_PRIVATE_KEY.
    Without one both are those of the stack that runs on the default data folder: its keys sign for nobody else.
    """
    if url is None:
        url = os.environ.get("CUTGATE_URL") or None
    if url is not None:
        public_key = os.environ.get("CUTGATE_PUBLIC_KEY") if public_key is None else public_key
        private_key = os.environ.get("CUTGATE_PRIVATE_KEY") if private_key is None else private_key
    else:
        data = DataDir(default_data_dir())
        running, account = data.running(), data.account()
        if running is None or account is None:
            raise ServiceNotNamed(data.folder)
        url = running.url
        if public_key is None and private_key is None:
            public_key, private_key = account.public_key, account.private_key
    if public_key is None or private_key is None:
        raise KeyPairMissing(url)
    return url, public_key, private_key
