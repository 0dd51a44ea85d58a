"""Networks of published tile encoders: built from their cards, and filled with the tensors of their files."""
