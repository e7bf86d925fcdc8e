"""How members are trained: one loop for every task and model, CUDA graphs, and checkpoints.

It is given a task and a model and returns what became of each member; it reads and writes no results.
"""
