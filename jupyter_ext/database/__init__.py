"""SQL for labs and gateways: engine, column types, migrations.

Imports SQLAlchemy and Alembic only, nothing of Jupyter and nothing of the sibling packages, because
both the gateway's environment and the lab's use this package. Tables are defined next to the code
that uses them; only the lab's migrations (`migrations/`) are kept here.
"""
