"""The results on disk: the schema of every row, and the results folder that holds them.

What may enter: files written by this package, validated line by line. A folder may come from an untrusted source, so
nothing in it is executed. Nothing here imports torch.
"""
