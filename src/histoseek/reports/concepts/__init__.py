"""The vocabulary: concepts, their names, kinds and places."""
