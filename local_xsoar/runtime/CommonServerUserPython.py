"""Where the owner of a tenant puts functions shared by its scripts: empty, as on a new tenant."""
