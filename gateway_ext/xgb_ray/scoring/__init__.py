"""What is done with a model: predictions, metrics of other data, calibration."""
