"""A store on a PostgreSQL server, which any number of replicas share."""
