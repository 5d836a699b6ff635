"""The mathematics of a cut-out: values in, values out. No files, network, environment or clock."""
