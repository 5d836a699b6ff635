"""Blob stores: a folder or a bucket. `choose` opens the one that the settings name."""
