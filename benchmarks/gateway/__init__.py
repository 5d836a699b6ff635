"""The gateway alone: what a request costs the processors, how many pass in a second, how much memory they leave.

Server and gateway are real, on an empty data folder and without workers; signatures, rates, credits, caps,
repeats, blobs and hints are all switched on.
"""
