"""From a mask to an alpha matte and the subject's own colours."""
