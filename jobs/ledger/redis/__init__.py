"""The ledger in Redis or Valkey; its rules are the scripts in `jobs/ledger/lua`."""
