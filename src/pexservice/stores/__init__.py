"""Where the state is kept: each package is a store that the engine can commit through."""
