"""What measures the goals for speed; ``python benchmarks/goals/peers.py`` runs all of it."""
