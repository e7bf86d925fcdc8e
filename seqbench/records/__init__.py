"""What a run leaves behind: the schema of every row, and the folder that holds them.

Needs no torch. A folder may come from a stranger, so nothing in it is trusted or evaluated.
"""
