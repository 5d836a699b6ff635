"""The blob store that the settings name."""

from __future__ import annotations

from jobs.blobs import BlobStore
from jobs.blobstores.file import FileBlobStore
from jobs.blobstores.settings import BlobSettings


def open_blob_store(settings: BlobSettings) -> BlobStore:
    """Make the store that gateway and worker share. Only a store of files touches its storage here.

    Raises:
        BlobStoreUnavailable: the folder is not there and cannot be made.
    """
    if settings.blob_store == "file":
        return FileBlobStore(settings.blob_dir)
    # Optional, and heavy: loaded where it is asked for.
    from jobs.blobstores.s3 import S3BlobStore

    return S3BlobStore(settings)
