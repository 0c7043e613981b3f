"""Powder patterns: simulated from crystals, searched among known ones, refined."""
