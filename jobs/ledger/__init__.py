"""The one truth about tasks, items and claims: the contract here, Redis behind it, the rules in `lua/`."""
