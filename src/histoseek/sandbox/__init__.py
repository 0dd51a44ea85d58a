"""Processes of their own in which files of strangers are read: confined, limited, and ended when need be."""
