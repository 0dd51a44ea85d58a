"""From a query to vectors, signatures and tokens."""
