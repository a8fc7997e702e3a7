"""How agents are started, looked at and ended: one module for each kind of place.

A process proxy knows processes, not clients, owners or epochs; those who call it hold the epoch.
"""
