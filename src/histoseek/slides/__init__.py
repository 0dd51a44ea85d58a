"""Whole-slide images: open any format, read pixels at known spacing, nothing else."""
