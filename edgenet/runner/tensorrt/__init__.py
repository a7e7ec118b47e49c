"""TensorRT, 8.2 to 11, and TensorRT for RTX: one way to build an engine with any of them."""
