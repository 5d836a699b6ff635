"""The networks: a registry of rows, their files, the prepared graphs and the sessions that run them."""
