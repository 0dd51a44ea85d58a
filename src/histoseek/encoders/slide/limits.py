"""How large a slide's mosaic may be; cards are read and checked without numpy."""

from __future__ import annotations

MOST_VECTORS = 256
"""Most vectors of a slide's mosaic: anchors of a large slide; other encoders make 16."""
