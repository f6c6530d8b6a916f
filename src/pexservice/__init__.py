"""A durable, exact walk along the Fibonacci numbers, over HTTP."""

__version__ = "0.1.0"
