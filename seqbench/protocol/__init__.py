"""The protocol: what is measured and under which rules. Settings, profiles, and how a learning rate is chosen.

What may enter: constants that are fixed before the first run, and the changes that a run specification asks for.
Nothing here measures anything or imports torch.
"""
