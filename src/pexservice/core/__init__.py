"""What is the same for every machine and every store: groups, order, and what is durable."""
