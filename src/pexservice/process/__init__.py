"""One process of the service: how it starts, listens, reports and stops."""
