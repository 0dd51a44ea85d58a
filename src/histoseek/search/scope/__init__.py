"""Which slides a search may return."""
