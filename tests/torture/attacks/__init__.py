"""One module for each kind of harm."""
