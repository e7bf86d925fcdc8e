"""Scripts that measured what a decision rests on; each names its ADR."""
