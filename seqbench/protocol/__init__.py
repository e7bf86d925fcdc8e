"""What is measured, and under which rules: settings, profiles and how a learning rate is chosen.

All of it is data, fixed before the first run. It needs no torch and measures nothing.
"""
