"""Annotations: shapes on slides with a label, a colour and a note, and their GeoJSON as QuPath reads and writes it."""
