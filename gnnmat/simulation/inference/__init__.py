"""From a spectrum back to its Hamiltonian: couplings with errors, misfit, odds, advice."""
