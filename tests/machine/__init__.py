"""State machines under random fire: the SDK and the simulated cloud against each other."""
