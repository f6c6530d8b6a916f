"""The store of a worker process: one writer orders what all of them are asked, and keeps it in a store of its own."""
