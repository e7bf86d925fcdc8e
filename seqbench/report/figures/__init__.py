"""The figures of the book, drawn from frames and tables; each function returns a Matplotlib figure.

A model has one colour and one marker everywhere (the palette of Okabe and Ito, which remains distinguishable under the
usual colour-blindnesses; see Wong, 2011), and its name is written beside its line. Every run is drawn as a line or a
point of its own: no means, no bands.
"""
