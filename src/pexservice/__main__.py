"""`python -m pexservice` is the same command as `pexservice`."""

from pexservice.cli import main

if __name__ == "__main__":
    main()
