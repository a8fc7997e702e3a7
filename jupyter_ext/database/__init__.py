"""SQL for labs and gateways: engine, column types, migrations.

Imports SQLAlchemy and Alembic only: nothing of Jupyter, nothing of the rooms beside it, because the
gateway's environment uses this package as well as the lab's. Tables live with the code that uses
them; only the lab's migrations (`migrations/`) are kept here.
"""
