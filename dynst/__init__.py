"""dynst: which places must be measured so that the forecast of the whole field stays good."""
