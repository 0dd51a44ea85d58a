"""Training of slide encoders."""
