"""The file that holds the tokens.

A secret comes in a file and in nothing else. Arguments are shown to every user by ps(1), and the environment is handed
on to every child; a file has an owner and a mode, and is what systemd's credentials, Kubernetes' and Docker's secrets
all come down to. Each line is a token, and each is as good as the others, so that one can be replaced without a moment
at which some client has none that is valid. What a file holds is never shown, not even in an error about it.
"""

import re
import stat
from pathlib import Path

import structlog

from pexservice.disk.linux import read_regular
from pexservice.errors import BadTokenFile, NotPermitted, reason, scarcity
from pexservice.limits import Limits

log = structlog.get_logger()

_B64TOKEN = re.compile(rb"[A-Za-z0-9\-._~+/]+=*")  # RFC 6750, 2.1


def parse(data: bytes, name: str, limits: Limits) -> tuple[bytes, ...]:
    """Return the tokens in the bytes of a file, one a line; white space around them and empty lines do not count.

    Raises BadTokenFile, naming the file `name`.
    """
    if len(data) > limits.token_file_bytes_max:
        raise BadTokenFile(
            f"the token file {name} is over {limits.token_file_bytes_max} bytes. It holds one token a line."
        )
    tokens = []
    for number, line in enumerate(data.splitlines(), 1):
        token = line.strip()
        if not token:
            continue
        if not _B64TOKEN.fullmatch(token):
            message = (
                f"line {number} of the token file {name} is no token: it may have letters, numerals and -._~+/, and = "
                "only at its end (RFC 6750). Make one with: openssl rand -base64 32"
            )
            raise BadTokenFile(message)
        if len(token) < limits.token_characters_min:
            message = (
                f"the token in line {number} of the token file {name} could be guessed: it has {len(token)} characters "
                f"and needs {limits.token_characters_min} or more. Make one with: openssl rand -base64 32"
            )
            raise BadTokenFile(message)
        tokens.append(token)
    if not tokens:
        raise BadTokenFile(f"the token file {name} is empty. Make a token with: openssl rand -base64 32")
    return tuple(tokens)


def read(path: Path, limits: Limits) -> tuple[bytes, ...]:
    """Return the tokens in a file, at least one. Raises BadTokenFile, NotPermitted."""
    try:
        data = read_regular(path, bytes_max=limits.token_file_bytes_max + 1)
        mode = path.stat().st_mode
    except PermissionError as error:
        message = f"may not read the token file {path}: {reason(error)}. Give this user, and no other, the right to."
        raise NotPermitted(message) from error
    except OSError as error:
        message = f"cannot read the token file {path}: {reason(error)}. Name another with --token-file."
        raise scarcity(error) or BadTokenFile(message) from error
    if mode & stat.S_IROTH:
        log.warning("every user of this machine may read the token file", file=str(path), hint=f"chmod o= {path}")
    return parse(data, str(path), limits)
