"""The walk under attack: every test here was seen red against a planted fault."""
