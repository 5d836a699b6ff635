"""What keeps ledger and storage in order, in threads beside a process's own work."""
