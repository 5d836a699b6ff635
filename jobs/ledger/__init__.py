"""Implementations of `cutgate.jobs.ledger.store.LedgerStore`; import the module of the one you need."""
