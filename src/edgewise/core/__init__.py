"""Errors, progress, random streams, citations, settings and run folders; imports nothing of ours."""
