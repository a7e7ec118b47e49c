"""Which operators a target's runtimes have, by version."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from edgenet.verify.lint_row import LintRow, broken, kept
from edgenet.verify.lint_subject import Subject, nodes_by_place, title
from edgenet.verify.qdq_form import is_integer_operator
from edgenet.verify.qdq_graph import attribute

if TYPE_CHECKING:
    import onnx

    from edgenet.targets import RuntimeSupport

RULE = "operators"

_TENSORRT: dict[tuple[int, ...], str] = {
    (8, 0): """
        Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization
        Cast Ceil Celu Clip Concat Constant ConstantOfShape Conv ConvTranspose Cos Cosh CumSum
        DepthToSpace DequantizeLinear Div Dropout Elu Equal Erf Exp Expand EyeLike Flatten Floor
        GRU Gather GatherElements Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool Greater
        GreaterOrEqual HardSigmoid Identity If ImageScaler InstanceNormalization LRN LSTM LeakyRelu
        Less LessOrEqual Log LogSoftmax Loop LpNormalization LpPool MatMul Max MaxPool Mean Min Mul
        Neg NonMaxSuppression Not Or PRelu Pad ParametricSoftplus Pow QuantizeLinear RNN
        RandomUniform RandomUniformLike Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum
        ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu
        Reshape Resize ReverseSequence ScaledTanh Scan Selu Shape Sigmoid Sin Sinh Size Slice
        Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Tan Tanh ThresholdedRelu
        Tile TopK Transpose Unsqueeze Upsample Where
    """,
    (8, 2): "Einsum GatherND IsNaN Round Scatter ScatterElements ScatterND Sign",
    (8, 4): "Shrink Xor",
    (8, 5): """
        GridSample HardSwish MeanVarianceNormalization Mod NonZero OneHot RandomNormal
        RandomNormalLike RoiAlign Trilu
    """,
    (8, 6): "GroupNormalization IsInf LayerNormalization",
    (9, 2): "Hardmax",
    (10, 0): "CastLike Gelu Mish",
    (10, 1): "DeformConv",
    (10, 4): "BlackmanWindow HammingWindow HannWindow",
    (10, 5): "STFT",
    (10, 14): "Attention",
    (10, 15): "RMSNormalization RotaryEmbedding TensorScatter",
}
"""Operators of ONNX by the release of TensorRT that brought them.

Source: the operator support matrix of onnx-tensorrt (``docs/operators.md``) of 8.4, 8.5 and 10.15,
and its changelog (``docs/Changelog.md``), which says what a release added. ``Reciprocal`` is
missing in the matrix until 8.5 but has had an importer since TensorRT 4
(``builtin_op_importers.cpp``). Three that neither dates are taken to be there from 10.0 on. What
8.0 and 8.2 have is thus derived: the first matrix less what a later release added. No parser of 8
was asked.
"""

_ONNXRUNTIME_LACKS = ("ImageDecoder",)
"""Operators of ONNX that onnxruntime 1.31.1 has neither a CPU kernel nor a function for.

Source: its own table of kernels, ``get_all_opkernel_def``, against the schemas of onnx 1.23.
"""

_MICROSOFT: dict[tuple[int, ...], str] = {
    (1, 10): """
        Attention AttnLSTM BiasGelu BifurcationDetector CDist ConvTransposeWithDynamicPads
        CropAndResize DequantizeLinear DynamicQuantizeLSTM DynamicQuantizeMatMul
        EmbedLayerNormalization ExpandDims FastGelu FusedConv FusedGemm FusedMatMul GatherND Gelu
        GridSample Inverse
        MatMulInteger16 MatMulIntegerToFloat MaxpoolWithMask MurmurHash3 NGramRepeatBlock
        NhwcMaxPool Pad QAttention QEmbedLayerNormalization QLinearAdd QLinearAveragePool
        QLinearConcat QLinearConv QLinearGlobalAveragePool QLinearLeakyRelu QLinearMul
        QLinearSigmoid QuantizeLinear Range SampleOp SkipLayerNormalization SparseToDenseMatMul
        Tokenizer TransposeMatMul Trilu Unique WordConvEmbedding
    """,
    (1, 20): """
        BeamSearch DecoderMaskedMultiHeadAttention DynamicTimeWarping GatherBlockQuantized
        GreedySearch GroupQueryAttention MatMulBnb4 MatMulFpQ4 MatMulNBits MoE MultiHeadAttention
        QGemm QLinearSoftmax QLinearWhere QMoE QuickGelu RotaryEmbedding Sampling
        SkipSimplifiedLayerNormalization SparseAttention UnfoldTensor WhisperBeamSearch
    """,
}
"""Operators of onnxruntime's own domain by a version that was seen to have them on the CPU.

Source: the table of kernels of 1.31.1, and which of its names the libraries of 1.20.1 and 1.10.0
hold. 1.10.0 knows QGemm, but not for INT8 inputs.
"""

_LOCAL_FUNCTIONS_SINCE = (9,)  # the same changelog: TensorRT 9.0 EA
_ONNX = ("", "ai.onnx")
_POOLS = ("AveragePool", "LpPool", "MaxPool")


def lint_operators(subject: Subject) -> Iterator[LintRow]:
    """Look for operators that a runtime of the target does not have."""
    found = False
    for runtime in subject.runtimes:
        if subject.functions and runtime.name == "tensorrt":
            rows = _lint_functions(subject.functions, runtime)
            found |= bool(rows)
            yield from rows
        for node, place in nodes_by_place(subject.graphs):
            reason = _reason(node, runtime)
            if reason is not None:
                found = True
                yield broken(RULE, f"{title(runtime)} {reason}", _advice(node), place)
    if not found:
        kinds = {node.op_type for graph in subject.graphs for node in graph.nodes}
        names = " and ".join(title(runtime) for runtime in subject.runtimes)
        has = "has" if len(subject.runtimes) == 1 else "have"
        yield kept(RULE, f"{names} {has} all {len(kinds)} kinds: {', '.join(sorted(kinds))}")


def tensorrt_operators(version: tuple[int, ...]) -> frozenset[str]:
    """Return the operators of ONNX that a version of TensorRT has by its documents."""
    return _until(_TENSORRT, version)


def _until(table: dict[tuple[int, ...], str], version: tuple[int, ...]) -> frozenset[str]:
    names = (text.split() for since, text in table.items() if since <= version)
    return frozenset(name for some in names for name in some)


def _reason(node: onnx.NodeProto, runtime: RuntimeSupport) -> str | None:
    """Say why a runtime does not take a node; None where it does."""
    if runtime.name == "tensorrt":
        if node.domain not in _ONNX:
            return f"has no operators of the domain {node.domain!r}"
        if node.op_type not in tensorrt_operators(runtime.version):
            return f"does not have {node.op_type}"
        if node.op_type in _POOLS and any(n != 1 for n in attribute(node, "dilations") or ()):
            return "takes no dilations of a pooling"
        if node.op_type == "MaxPool" and any(node.output[1:]):
            return "does not give the indices of a MaxPool"
        return None
    if node.domain == "com.microsoft":
        known = node.op_type in _until(_MICROSOFT, runtime.version)
        return None if known else f"does not have {node.op_type} of com.microsoft"
    if node.domain not in (*_ONNX, "ai.onnx.ml"):
        return f"has no operators of the domain {node.domain!r}"
    return f"does not have {node.op_type}" if node.op_type in _ONNXRUNTIME_LACKS else None


def _advice(node: onnx.NodeProto) -> str:
    if is_integer_operator(node):
        return "quantize the FP32 network with edgenet quantize: it writes Q/DQ pairs instead"
    return "replace it in the network, or choose another target"


def _lint_functions(functions: tuple[str, ...], runtime: RuntimeSupport) -> list[LintRow]:
    if runtime.version >= _LOCAL_FUNCTIONS_SINCE:
        return []
    named = ", ".join(sorted(functions)[:3])
    detail = f"{title(runtime)} takes no functions that a file defines: {named}"
    return [broken(RULE, detail, "expand them: onnx.inliner.inline_local_functions")]
