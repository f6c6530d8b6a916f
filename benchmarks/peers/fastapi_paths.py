"""The paths of the original in FastAPI, over whatever keeps a position.

Give it every advantage. The answer is the position itself, no Fibonacci number is computed, a step is one durable write
whichever step it was, and no model or serializer stands between.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI, Response


def application(
    read: Callable[[], Awaitable[int]],
    step: Callable[[], Awaitable[int]],
    reset: Callable[[], Awaitable[int]],
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None,
) -> FastAPI:
    """Return the application that answers what these return, each once it is durable."""

    def answering(act: Callable[[], Awaitable[int]]) -> Callable[[], Awaitable[Response]]:
        async def answer() -> Response:
            return Response(b"%d\n" % await act(), media_type="application/json")

        return answer

    app = FastAPI(openapi_url=None, lifespan=lifespan)
    for path, act in (("/", read), ("/current", read), ("/next", step), ("/previous", step), ("/reset", reset)):
        app.add_api_route(path, answering(act))
    return app
