"""The protocol: OCI distribution, docker registry v2."""
