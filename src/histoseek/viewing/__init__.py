"""Pixels as somebody looks at them: brightness and contrast, one stain of two, and figures with a scale bar."""
