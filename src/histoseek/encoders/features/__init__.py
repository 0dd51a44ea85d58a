"""Feature files of other programs, read as they lay them out."""
