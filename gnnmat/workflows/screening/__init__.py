"""Screening: from many candidates to a shortlist, stage by stage."""
