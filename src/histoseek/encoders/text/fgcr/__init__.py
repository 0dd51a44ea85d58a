"""The text encoder of FGCR's reference, which knows whole words."""
