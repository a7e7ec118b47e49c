"""Smaller networks from trained ones: quantization of an exported graph."""
