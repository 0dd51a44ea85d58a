"""Slide encoders that others published: own modules for their tensors, told by the names in their files."""
