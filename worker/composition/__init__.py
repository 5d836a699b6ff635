"""What is made of a cut-out before it is a file: where it lies, at what size, and what lies below it."""
