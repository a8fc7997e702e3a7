"""The `%xgb_ray` magic: what a line or cell means, and its completion.

The only room that knows IPython.
"""
