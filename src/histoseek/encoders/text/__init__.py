"""Text encoders: one file per model family."""
