"""Physics that makes data: spin waves, instrument resolution, noise. No file access."""
