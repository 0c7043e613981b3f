"""Closed forms: what follows from predicted moduli, without another calculation."""
