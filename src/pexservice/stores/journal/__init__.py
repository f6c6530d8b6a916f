"""The journal: a directory of CSV files, the only truth there is. Everything else is computed from it."""
