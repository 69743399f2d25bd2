"""Trainings looked at from outside: their logs as curves, their sheets as a page. No torch."""
