"""What one types: demo, pair, serve, warroom."""
