"""Recordings, analyses, results: what happens to a face between the upload and the reading.

Flow modules are named after what happens (uploads, analyses, results, erasure); pages and API call the
same flow. ``inference/`` is pure: bytes in, readings out."""
