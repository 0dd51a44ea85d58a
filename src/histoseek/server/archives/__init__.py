"""The archives that are served, and what is made of them."""
