"""The duties of docs/duties.md, one test each, by their numbers."""
