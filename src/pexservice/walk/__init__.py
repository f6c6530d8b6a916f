"""The walk along the Fibonacci numbers: all that is about it and nothing else."""
