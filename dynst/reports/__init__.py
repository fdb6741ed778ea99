"""Curve and Plan into words and pictures. Charts need altair: import them from their modules, where one is drawn."""
