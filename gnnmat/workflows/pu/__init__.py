"""Positive-unlabelled learning: which of the unlabelled crystals look like those that were made."""
