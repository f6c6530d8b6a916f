"""Take a step exactly once, whatever happens on the way: `python retry.py http://127.0.0.1:8081/next [KEY]`.

The key is made once and sent with every attempt, so that the service takes the step once however often it is asked.
Who has to be sure even over the end of this very program writes the key down first, and passes it when it starts again.
"""

import random
import sys
import time
import uuid

import httpx

ATTEMPTS = 12
PAUSE_S_MAX = 10.0
UNKNOWN = {500, 502, 503, 504}
"""Answers, of the service or of a proxy before it, after which nobody knows more than before: ask again."""


def step(client: httpx.Client, url: str, key: str) -> httpx.Response:
    """Return the answer, once there is one that settles it. Raises httpx.HTTPError if there is none in 12 attempts."""
    for attempt in range(ATTEMPTS):
        try:
            answer = client.post(url, headers={"Idempotency-Key": key})
            if answer.status_code not in UNKNOWN:
                return answer.raise_for_status()
            wanted = answer.headers.get("Retry-After", "")
            told, wanted_s = f"status {answer.status_code}", int(wanted) if wanted.isdecimal() else 0  # Or a date.
        except httpx.TransportError as error:  # Refused, broken off, or late: it was taken, or it was not.
            told, wanted_s = str(error), 0
        print(f"attempt {attempt + 1}: {told}", file=sys.stderr)
        if attempt + 1 < ATTEMPTS:
            # At random, so that the clients of a service that was away do not all come back at once.
            time.sleep(max(wanted_s, random.uniform(0, min(PAUSE_S_MAX, 0.1 * 2**attempt))))
    raise httpx.TransportError(f"no answer in {ATTEMPTS} attempts; ask again with the key {key}")


if __name__ == "__main__":
    with httpx.Client(timeout=5.0) as client:
        url, key, *_ = [*sys.argv[1:], str(uuid.uuid4())]
        print(step(client, url, key).text, end="")
