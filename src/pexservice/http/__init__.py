"""HTTP/1.1 (RFC 9110, RFC 9112) for any machine: bytes to requests, requests to actions, actions to answers."""
