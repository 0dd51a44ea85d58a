"""Files of published models: where they lie on this machine, whose they are, and how they get here."""
