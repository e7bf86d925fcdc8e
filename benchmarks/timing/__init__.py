"""What asv times."""
