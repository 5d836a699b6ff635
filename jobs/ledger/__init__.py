"""Implementations of `jobs.store.LedgerStore`; import the module of the one you need."""
