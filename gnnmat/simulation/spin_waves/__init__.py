"""Linear spin-wave theory of any ordered magnet, batched over couplings and wave vectors."""
