"""Kinematic diffraction in batches: powder patterns, finite clusters, nanoparticles."""
