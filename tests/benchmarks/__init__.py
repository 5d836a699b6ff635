"""What the benchmarks compute, on made-up scores and pictures."""
