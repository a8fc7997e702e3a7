"""Data from its source to the matrix of a worker. Knows nothing of trainings and, but for the tasks
that load it, of Ray."""
