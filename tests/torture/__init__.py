"""Attacks on the running service, and on its parts: `python -m torture`, `make torture`."""
