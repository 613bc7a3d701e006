"""Run an attempt, turn its end into a result, store that, and limit the number of attempts."""
