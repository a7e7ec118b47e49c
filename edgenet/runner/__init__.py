"""The measuring program: Python 3.6, the standard library and NumPy, the same on every machine."""
