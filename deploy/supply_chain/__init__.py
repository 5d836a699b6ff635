"""What others' software the images and weights consist of, and whether anything bad is known of it."""
