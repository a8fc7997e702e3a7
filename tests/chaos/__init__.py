"""Soaks under random faults: gateways and labs on MariaDB, with kernels that count aloud."""
