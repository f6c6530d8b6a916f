"""Judges of HTTP that share nothing with the product but its limits."""
