"""The operators of PyTorch that a network in a file may use.

A file names its operators, and PyTorch has thousands: ``from_file`` maps a file into memory,
``save`` writes one, ``full`` takes as much memory as a number says. These here compute from tensors
alone, and what they give is no larger than their operands and options make it.
"""

OPERATORS = frozenset(
    """
    _assert_tensor_metadata abs adaptive_avg_pool1d adaptive_avg_pool2d adaptive_max_pool1d
    adaptive_max_pool2d add addmm alias amax amin avg_pool1d avg_pool2d batch_norm bmm cat clamp
    clamp_max clamp_min clone contiguous conv1d conv2d convolution detach div dropout elu exp
    flatten gelu group_norm hardsigmoid hardswish hardtanh layer_norm leaky_relu linear log
    log_softmax logsumexp matmul max_pool1d max_pool2d maximum mean minimum mish mm mul neg norm
    pad permute pow prelu reciprocal relu relu6 reshape rsqrt rsub scaled_dot_product_attention
    select selu sigmoid sign silu slice softmax softplus split sqrt square squeeze stack sub sum
    sym_size t tanh to transpose true_divide unflatten unsqueeze view where
    """.split()  # noqa: SIM905 - a list of ninety strings is no easier to read
)
"""Names in ``aten``."""
