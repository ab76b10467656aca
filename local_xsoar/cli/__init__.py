"""The commands to type: demo, pair, serve, warroom."""
