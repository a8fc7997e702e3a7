"""The gateway, the agents and magics that run with kernels, and distributed XGBoost.

Importing this package imports nothing: `gateway_ext.agent` and `gateway_ext.xgb_ray` run in the
kernel's environment, where neither Enterprise Gateway nor SQLAlchemy is installed.
"""
