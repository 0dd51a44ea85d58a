"""What of a report is indexed, and how queries of words are read."""
