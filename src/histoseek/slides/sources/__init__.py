"""What slides are opened from: files today, and one module for each further scheme of addresses."""
