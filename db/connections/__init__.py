"""Connections: files and servers, engines, locks, and what their errors mean."""
