"""Implementations of `jobs.blobs.BlobStore`; import the module of the one you need."""
