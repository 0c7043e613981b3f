"""The stages of a screen; a new one is a file and a name in ``union.py``."""
