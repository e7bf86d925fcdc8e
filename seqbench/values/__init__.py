"""Validation of input: kinds of text and numbers in files, options of tasks and models, arguments of public functions.

What may enter: anything a user or a file gives. What does not fit raises ``BadInput`` with one sentence that names the
culprit and the choices. Nothing here imports torch.
"""
