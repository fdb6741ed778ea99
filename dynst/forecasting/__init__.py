"""The plan in use: a forecaster kept in a run, and forecasts from the readings of its sensors."""
