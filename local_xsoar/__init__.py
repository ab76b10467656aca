"""A small Cortex XSOAR for one machine: to run, test and measure the pack without a licence."""
