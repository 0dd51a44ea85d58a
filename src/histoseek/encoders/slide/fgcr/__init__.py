"""FGCR (doi 10.1016/j.media.2024.103163): slides as a class embedding and anchors, each of which knows its region."""
