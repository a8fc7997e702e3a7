"""Which gateway owns which kernel: states, tables, and all SQL of the gateway.

Nothing here may import Jupyter, Enterprise Gateway or tornado, and nothing outside of this folder
may write SQL of the gateway's tables.
"""
