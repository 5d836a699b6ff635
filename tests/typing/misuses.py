"""What a type checker has to refuse. A misuse that it lets pass leaves a needless comment, which is an error."""

from cutgate import AsyncClient, Client, Remover, Retries, remove_background

remove_background(3)  # type: ignore[arg-type]
remove_background("cat.jpg", no_such_option=True)  # type: ignore[call-arg]
remove_background("cat.jpg", box="all")  # type: ignore[arg-type]
remove_background("cat.jpg").nothing()  # type: ignore[attr-defined]
Remover("best")  # type: ignore[call-arg]
Remover(threads="2")  # type: ignore[arg-type]
Retries(attempts=True, nothing=1)  # type: ignore[call-arg]


def by_client(client: Client) -> None:
    client.remove_background("cat.jpg", hair_optimization=1)  # type: ignore[arg-type]
    client.job(7)  # type: ignore[arg-type]
    client.balance().available = 3  # type: ignore[misc]
    len(client.job("uid").status())  # type: ignore[arg-type]


async def by_async_client(client: AsyncClient) -> None:
    with client:  # type: ignore[attr-defined]
        pass
    (await client.remove_background("cat.jpg")).result().decode()  # type: ignore[attr-defined]
