"""Time and memory: of a job beside the network's own run, and beside rembg on the same weights."""
