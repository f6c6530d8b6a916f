"""What is given out of a commit: `make dist`.

From the top down: `__main__` makes everything in a temporary directory and proves it before any of it gets to `dist`;
`inventory` is the SBOM, from `lock` and the environment that `installed` makes; `building` makes wheel and sdist.
"""
