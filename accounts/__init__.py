"""People, roles, API clients, and how a request becomes an Actor."""
