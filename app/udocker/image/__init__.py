"""Joins a registry or an archive to the store."""
