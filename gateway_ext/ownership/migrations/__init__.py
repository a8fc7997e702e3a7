"""Alembic revisions of the gateway's tables. Expand first, contract one release later."""
