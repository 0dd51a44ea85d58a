"""How well regions of slides fit words, whatever it is that brings the two into one space."""
