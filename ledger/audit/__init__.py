"""Verdicts over entries. Time bounds for now; what is judged by them comes later."""
