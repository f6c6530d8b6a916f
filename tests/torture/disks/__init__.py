"""Disks that lose what was not synced, and disks that fail. Each is a process that outlives the service."""
