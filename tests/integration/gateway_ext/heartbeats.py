"""Waiting for what gateways do at regular intervals."""

from datetime import datetime

from sqlalchemy import select

from gateway_ext.ownership.tables import gateway
from jupyter_ext.database.engine import Database
from tests.integration.gateway_ext.fleet_of_gateways import Gateways, wait_until


def wait_for_heartbeats(gateways: Gateways, number: int, count: int = 3) -> None:
    """Returns when a gateway has written `count` more heartbeats.

    Whatever else it does as often has had its turns by then, and so have the other gateways.
    """
    database = Database(gateways.database_url)
    query = select(gateway.c.heartbeat).where(gateway.c.name == f"gateway-{number}")

    def heartbeat() -> datetime:
        found: datetime = database.run_blocking(
            lambda connection: connection.execute(query).scalar_one()
        )
        return found

    try:
        for _ in range(count):
            before = heartbeat()
            wait_until(lambda before=before: heartbeat() > before)
    finally:
        database.close()
