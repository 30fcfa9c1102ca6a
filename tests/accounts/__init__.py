"""People, roles, API clients and signing in."""
