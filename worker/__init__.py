"""The side of Cutgate that computes: claim, read, cut out, write, finish."""

import os

# ONNX Runtime's packages report each network that is loaded, and the machine, to Microsoft. It reads this as it is
# imported, rembg's import of it included, so it stands before all of them.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
