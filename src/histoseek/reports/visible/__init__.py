"""What of a report can be seen on an H&E slide."""
