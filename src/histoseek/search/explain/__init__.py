"""Where and why a result matches."""
