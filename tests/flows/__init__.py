"""Whole walks over real HTTP, a real worker in a process of its own, real models and a real log."""
