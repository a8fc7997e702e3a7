"""What runs in the process of a worker. Knows nothing of the driver that calls it."""
