"""Training: pairs of slides and reports, losses, the loop, and the closed-form alignment."""
