"""Which peers there are, and what each promises. How each is made is in `making.py`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

FLOOR: Final = "floor"
NGINX: Final = "nginx"
ORIGINAL: Final = "original"
DURABLE_GO: Final = "go-fsync"
BBOLT: Final = "go-bbolt"
REDIS: Final = "fastapi-redis"
POSTGRESQL: Final = "fastapi-postgresql"
SQLITE: Final = "fastapi-sqlite"
FSYNC: Final = "fsync"
INTERVAL: Final = "interval"
BEFORE: Final = "before"


@dataclass(frozen=True, slots=True)
class About:
    """What readers are told of a peer."""

    title: str
    promise: str
    """What a power cut takes of the steps that were answered."""
    is_durable: bool
    """Whether each step is on disk before it is answered."""
    is_product: bool = False


ABOUT: Final = {
    FSYNC: About("pexservice", "nothing", is_durable=True, is_product=True),
    INTERVAL: About("pexservice, `interval`", "the last second", is_durable=False, is_product=True),
    BEFORE: About("pexservice before the ring", "nothing", is_durable=True, is_product=True),
    ORIGINAL: About("Go original", "the last second and more", is_durable=False),
    DURABLE_GO: About("Go, fsync in each step", "nothing", is_durable=True),
    BBOLT: About("Go + bbolt", "nothing", is_durable=True),
    REDIS: About("FastAPI + Redis", "nothing", is_durable=True),
    POSTGRESQL: About("FastAPI + PostgreSQL", "nothing", is_durable=True),
    SQLITE: About("FastAPI + SQLite", "nothing", is_durable=True),
    FLOOR: About("C floor", "all: it keeps nothing", is_durable=False),
    NGINX: About("nginx, constant answer", "all: it keeps nothing", is_durable=False),
}
"""In the order of the tables."""
TITLES: Final = {name: about.title for name, about in ABOUT.items()}

INSTEAD: Final = (DURABLE_GO, BBOLT, REDIS, POSTGRESQL, SQLITE)
"""What a user would write instead, durable before it answers."""

PYTHON: Final = Path(".bench/venv/bin/python").absolute()
"""Of an environment with what the service needs and nothing else, which `make bench` sets up."""
SERVE: Final = [str(PYTHON), "-m", "pexservice", "serve"]
