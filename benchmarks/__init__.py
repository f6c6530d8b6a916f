"""How fast, at what cost, beside its peers: `python -m benchmarks`, or `make bench`.

From the top down: `__main__` runs `rounds` and `starts`, and `report` makes pages of the `figures` that they give.
"""
