"""The gateway, what runs beside kernels, and distributed XGBoost from a notebook cell.

Importing this package imports nothing: `gateway_ext.agent` and `gateway_ext.xgb_ray` run in the
kernel's environment, where neither Enterprise Gateway nor SQLAlchemy is installed.
"""
