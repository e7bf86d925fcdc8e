"""What a person or a file may give: kinds of texts and numbers, options and their spelling, arguments of functions.

Each is checked once, here, and anything else gets a sentence that names the choices. It needs no torch.
"""
