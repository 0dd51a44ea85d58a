"""Indexing on many machines or processes: workers of a Dask cluster encode slides, one process commits them."""
