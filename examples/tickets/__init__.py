"""A box office on the core of pexservice: docs/build-your-own.md walks through it."""
