"""remove.bg's protocol, version 1.0: the answer to a request is the picture."""
