"""Text without what scanning and pages did to it: mends with a map back to the original."""
