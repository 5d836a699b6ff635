"""PICPIK's request signature: parse, canonical form, sign, verify. Standard library only, no I/O."""
