"""`pexservice status`: one screen about a running service, from what it tells over HTTP."""

import time
import urllib.error
import urllib.request

import click

from pexservice.errors import AddressUnavailable

_TIMEOUT_S = 5
_SAMPLE_S = 1.0


@click.command()
@click.option(
    "--url",
    default="http://127.0.0.1:8081",
    envvar="PEXSERVICE_URL",
    show_envvar=True,
    show_default=True,
    help="Where the service listens; if it has an --admin-bind, there.",
)
def status(url: str) -> None:
    """Show position, sequence, steps per second and health of a running service.

    Ends with status 69 if nothing answers there, and 1 if the service takes no steps.
    """
    base = url.rstrip("/")
    before = _metrics(base)
    began_s = time.monotonic()
    health = _health(base)
    time.sleep(_SAMPLE_S)
    after = _metrics(base)
    seconds = time.monotonic() - began_s
    info = next(name for name in after if name.startswith("pex_info{"))
    labels = info.partition("{")[2].rstrip("}").replace('"', "").replace(",", ", ").replace("=", " ")
    lines = {"service": base, "health": health}
    if "pex_sequence_total" in after:  # Else it is still reading its journal.
        steps = after["pex_sequence_total"] - before.get("pex_sequence_total", after["pex_sequence_total"])
        lines |= {
            "position": f"{after['pex_position']:.0f}",
            "digits": f"{after['pex_digits']:.0f}",
            "sequence": f"{after['pex_sequence_total']:.0f}",
            "steps/s": f"{steps / seconds:.0f}",
        }
    lines |= {
        "steps waiting": f"{after['pex_steps_waiting']:.0f}",
        "connections": f"{after['pex_connections_open']:.0f}",
        "memory": f"{after.get('process_resident_memory_bytes', 0) / 2**20:.0f} MiB",
        "running": labels,
    }
    for name, value in lines.items():
        click.echo(f"{name + ':':15}{value}")
    if health != "ok":
        raise click.exceptions.Exit(1)


def _get(url: str) -> tuple[int, str]:
    if not url.startswith(("http://", "https://")):
        message = f"{url} is not an http URL."
        raise click.BadParameter(message, param_hint="--url")
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - the scheme was checked.
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except (OSError, ValueError) as error:
        message = f"nothing answers at {url}: {getattr(error, 'reason', error)}. Is the service running?"
        raise AddressUnavailable(message) from error


def _metrics(base: str) -> dict[str, float]:
    code, text = _get(f"{base}/metrics")
    if code != 200:  # noqa: PLR2004
        reason = (
            "with --admin-bind it has a listener of its own: name that with --url"
            if code == 404  # noqa: PLR2004
            else "the service is not ready"
        )
        message = f"{base}/metrics answered {code}: {reason}; or it is not a pexservice."
        raise AddressUnavailable(message)
    lines = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def _health(base: str) -> str:
    code, text = _get(f"{base}/readyz")
    return "ok" if code == 200 else f"takes no steps: {text.strip()}"  # noqa: PLR2004
