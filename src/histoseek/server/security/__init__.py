"""Who may ask, how often and how much; what every answer says to browsers; and what is kept of it."""
