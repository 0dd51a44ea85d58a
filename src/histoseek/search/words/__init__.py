"""Words in the space of tiles: how they are put to a text tower, and which slides and regions fit them."""
