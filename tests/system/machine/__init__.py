"""The service in a real systemd: `make test-systemd`.

systemd runs as process 1 of its own namespaces, on a Debian root of its own, so units, sandbox, watchdog and socket are
the real ones and need no virtual machine. Its network is a loopback interface that nobody else has.
"""
