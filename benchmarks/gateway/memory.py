"""How much memory large pictures leave a gateway."""

from typing import Final

from benchmarks.gateway.clients import send_all
from benchmarks.gateway.live import HERE, Checkout, live_gateway
from benchmarks.gateway.requests import removal
from benchmarks.gateway.rows import TEN_MEGABYTES

REQUESTS: Final = 200
BASE_REQUESTS: Final = 20
CONNECTIONS: Final = 8
GROWTH_MB: Final = 100
"""The growth between the two that passes."""


def measure_memory() -> bool:
    """Print resident memory before, after a few submits of 10 MB and after many; whether it is within bounds."""
    with live_gateway(Checkout.at(HERE), processes=1) as gateway:
        account = gateway.installation.account("large", "--queue-cap", "1000", "--submits-per-second", "1000")
        requests = [removal(account, TEN_MEGABYTES) for _ in range(REQUESTS)]
        print(f"{'submits of 10 MB':20} {'resident MB':>11}")
        print(f"{0:20} {gateway.resident_mb():11.0f}")
        sizes: list[float] = []
        for part in (requests[:BASE_REQUESTS], requests[BASE_REQUESTS:]):
            send_all(gateway.port, part, CONNECTIONS)
            sizes.append(gateway.resident_mb())
            print(f"{BASE_REQUESTS if len(sizes) == 1 else REQUESTS:20} {sizes[-1]:11.0f}")
    growth_mb = sizes[1] - sizes[0]
    print(f"growth {growth_mb:.0f} MB, at most {GROWTH_MB} MB pass")
    return growth_mb <= GROWTH_MB
