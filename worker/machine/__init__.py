"""What the processor, the container and the memory of this machine allow."""
