"""What people type into one field: read as names, values, conditions, words or a report, and completed."""
