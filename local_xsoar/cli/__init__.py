"""What one types: demo, serve, warroom."""
