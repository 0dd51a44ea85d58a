"""Whether an archive is as it was written, and mending what is not."""
