"""Implementations of `cutgate.jobs.blobs.store.BlobStore`; import the module of the one you need."""
