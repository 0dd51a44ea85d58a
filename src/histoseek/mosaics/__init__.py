"""Mosaic matching: barcodes, distances, kernels. Pure arrays, no I/O, no models."""
