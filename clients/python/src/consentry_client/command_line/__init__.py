"""The command ``consentry``."""
