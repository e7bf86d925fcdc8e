"""Training: one loop for every task and model, the members side by side; CUDA graphs; checkpoints.

What may enter: a task, a model, and the members with their budget. It returns an outcome for each member, and knows
nothing of profiles, results folders or the report.
"""
