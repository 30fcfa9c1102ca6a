"""Tests: the folders mirror the code; flows/ holds whole walks, browser/ real pages, faults/ failures."""
