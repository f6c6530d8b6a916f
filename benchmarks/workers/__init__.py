"""What several processes cost and give: the writer alone, and the service with workers. For docs/workers.md."""
