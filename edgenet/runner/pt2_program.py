"""The program in a ``.pt2`` file: the JSON that PyTorch turns into Python source and runs.

PyTorch's loader evaluates symbolic expressions as Python (through ``sympy.sympify``), executes the
texts of guards, imports the types that call signatures name, writes the names of values into source
code, and takes any path below ``torch`` for an operator: ``torch.os.system``, too. So what it gets
is compared with the little that an image classifier needs, and all else is refused: names are
identifiers, operators come from a list of those that touch tensors alone, an expression is the
batch size or a multiple of it, and what may hold code or objects has to be empty.

Source: ``torch/_export/serde/schema.py`` and ``serialize.py`` of PyTorch 2.14 (schema 8.20).
"""

import math
from typing import Any, Callable, Dict, Mapping, Tuple

from edgenet.runner.fields import FieldError, integer, text
from edgenet.runner.torch_operators import OPERATORS

INPUT_TREE = (
    '[1, {"type": "builtins.tuple", "context": "null", "children_spec": [{"type": "builtins.tuple",'
    ' "context": "null", "children_spec": [{"type": null, "context": null, "children_spec": []}]},'
    ' {"type": "builtins.dict", "context": "[]", "children_spec": []}]}]'
)
OUTPUT_TREE = '[1, {"type": null, "context": null, "children_spec": []}]'

MAX_VALUES = 100000
MAX_DIMENSION = 1 << 24
MAX_SIZE_OPTION = 512  # of a padding, of a pooling's result: what no operand's size bounds
_LARGEST = (1 << 63) - 1  # how a slice says "to the end"
_SIZE_OPTIONS = ("pad", "padding", "output_padding", "output_size")

_NAME = r"[A-Za-z_][A-Za-z0-9_]{0,199}"
_PATH = r"(?!.*(?:^|\.)__)[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+){0,31}"
_SYMBOL = r"Symbol\('[su][0-9]{1,6}', positive=True, integer=True\)"
_EXPRESSION = r"(?:{0}|[su][0-9]{{1,6}}|Mul\(Integer\([0-9]{{1,7}}\), {0}\))".format(_SYMBOL)

Rule = Callable[[Any, str], object]


def check_program(program: Any) -> None:
    """Refuse a program that asks PyTorch's loader for more than to run a network.

    Raises:
        FieldError: It does; the message names the place.
    """
    _record("ExportedProgram")(program, "")


def check_payloads(config: Any) -> Dict[str, Dict[str, Any]]:
    """Return the description of each stored tensor by its name, checked.

    Raises:
        FieldError: A tensor is stored as a pickle, or its description is not one.
    """
    _record("PayloadConfig")(config, "")
    found: Dict[str, Dict[str, Any]] = config["config"]
    return found


def dimensions(meta: Mapping[str, Any], key: str) -> Tuple[int, ...]:
    """Return the ``sizes`` or ``strides`` of a stored tensor.

    Raises:
        FieldError: One of them is an expression.
    """
    sizes = [size.get("as_int") for size in meta[key]]
    return tuple(integer(size, key, 0, MAX_DIMENSION) for size in sizes)


def _record(name: str) -> Rule:
    """Make the rule for an object of the schema: its fields, and others only where empty."""

    def check(value: Any, place: str) -> None:
        if not isinstance(value, dict):
            raise FieldError("{} must be an object".format(place or "the program"))
        fields = _RECORDS[name]
        for key, rule in fields.items():
            if key not in value:
                raise FieldError("{}.{} is missing".format(place, key)[:200])
            rule(value[key], "{}.{}".format(place, key))
        for key in sorted(set(value) - set(fields)):
            _empty(value[key], "{}.{}".format(place, key)[:200])

    return check


def _union(name: str) -> Rule:
    """Make the rule for an object with one key that says what its value is."""

    def check(value: Any, place: str) -> None:
        if not isinstance(value, dict) or len(value) != 1:
            raise FieldError("{} must be an object of one key".format(place))
        (key,) = value
        if key not in _UNIONS[name]:
            raise FieldError("{} is {!r}, which is not acceptable there".format(place, key[:80]))
        _UNIONS[name][key](value[key], place)

    return check


def _many(rule: Rule) -> Rule:
    def check(value: Any, place: str) -> None:
        if not isinstance(value, list) or len(value) > MAX_VALUES:
            raise FieldError("{} must be a list".format(place))
        for position, each in enumerate(value):
            rule(each, "{}[{}]".format(place, position))

    return check


def _named(pattern: str, rule: Rule) -> Rule:
    def check(value: Any, place: str) -> None:
        if not isinstance(value, dict) or len(value) > MAX_VALUES:
            raise FieldError("{} must be an object".format(place))
        for key, each in value.items():
            text(key, "a name in {}".format(place), pattern)
            rule(each, "{}[{!r}]".format(place, key))

    return check


def _text(pattern: str) -> Rule:
    return lambda value, place: text(value, place, pattern)


def _int(low: int, high: int) -> Rule:
    return lambda value, place: integer(value, place, low, high)


def _is(*allowed: Any) -> Rule:
    def check(value: Any, place: str) -> None:
        if not any(value == each and type(value) is type(each) for each in allowed):
            raise FieldError("{} is {!r:.80}, which is not acceptable there".format(place, value))

    return check


def _empty(value: Any, place: str) -> None:
    if value is not None and value is not False and value not in ("", [], {}):
        raise FieldError("{} is not empty".format(place))


def _bool(value: Any, place: str) -> None:
    if not isinstance(value, bool):
        raise FieldError("{} must be true or false".format(place))


def _optional(rule: Rule) -> Rule:
    return lambda value, place: None if value is None else rule(value, place)


def _whole(value: Any, place: str) -> None:
    if value != _LARGEST:
        integer(value, place, -MAX_DIMENSION, MAX_DIMENSION)


def _float(value: Any, place: str) -> None:
    if value in ("Infinity", "-Infinity"):
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise FieldError("{} must be a number".format(place))


def _operator(value: Any, place: str) -> None:
    words = text(value, place, r"torch\.ops\.aten\.[a-z0-9_]+\.[A-Za-z_]+|_operator\.mul")
    parts = words.split(".")
    if parts[0] == "torch" and (parts[3] not in OPERATORS or "out" in parts[4].split("_")):
        raise FieldError("{} is {!r}, which is not an operator of the list".format(place, words))


def _option(value: Any, place: str) -> None:
    """Check an operator's argument; some decide how much memory the result takes."""
    _record("NamedArgument")(value, place)
    (argument,) = value["arg"].values()
    if value["name"] in _SIZE_OPTIONS:
        for number in argument if isinstance(argument, list) else [argument]:
            if isinstance(number, int):
                integer(number, place, 0, MAX_SIZE_OPTION)


_EXPRESSION_RECORD = _record("SymExpr")
_TENSOR = _record("TensorArgument")
_ARGUMENT = _union("Argument")
_SIZE = _union("SymInt")
_NAMED_SIZE = _union("SymIntArgument")
_DEVICE = _record("Device")
_SCALAR_TYPE = _int(1, 13)
_STRIDED = _is(7)
_KIND = _optional(_int(0, 2))

_UNIONS: Dict[str, Dict[str, Rule]] = {
    "Argument": {
        "as_none": _bool,
        "as_tensor": _TENSOR,
        "as_tensors": _many(_TENSOR),
        "as_optional_tensors": _many(_union("OptionalTensor")),
        "as_int": _whole,
        "as_ints": _many(_whole),
        "as_float": _float,
        "as_floats": _many(_float),
        "as_bool": _bool,
        "as_bools": _many(_bool),
        "as_string": _text("[a-z_]{0,32}"),
        "as_sym_int": _NAMED_SIZE,
        "as_sym_ints": _many(_NAMED_SIZE),
        "as_scalar_type": _SCALAR_TYPE,
        "as_memory_format": _int(1, 4),
        "as_layout": _STRIDED,
        "as_device": _DEVICE,
    },
    "OptionalTensor": {"as_none": _bool, "as_tensor": _TENSOR},
    "SymInt": {"as_expr": _EXPRESSION_RECORD, "as_int": _int(0, MAX_DIMENSION)},
    "SymIntArgument": {"as_name": _text(_NAME), "as_int": _whole},
    "SymExprHint": {"as_int": _int(0, MAX_DIMENSION)},
    "InputSpec": {
        "user_input": _record("UserValue"),
        "parameter": _record("Parameter"),
        "buffer": _record("Buffer"),
        "tensor_constant": _record("Constant"),
    },
    "OutputSpec": {"user_output": _record("UserValue")},
    "TensorOnly": {"as_tensor": _TENSOR},
}
_RECORDS: Dict[str, Dict[str, Rule]] = {
    "ExportedProgram": {
        "graph_module": _record("GraphModule"),
        "opset_version": _named("aten", _int(0, 1000)),
        "range_constraints": _named("[su][0-9]{1,6}", _record("Range")),
        "schema_version": _record("SchemaVersion"),
        "verifiers": _many(_is("TRAINING", "ATEN")),
        "torch_version": _text(r"[0-9][0-9A-Za-z.+_-]{0,80}"),
    },
    "SchemaVersion": {"major": _is(8), "minor": _int(0, 10000)},
    "Range": dict.fromkeys(("min_val", "max_val"), _optional(_int(0, _LARGEST))),
    "GraphModule": {
        "graph": _record("Graph"),
        "signature": _record("Signature"),
        "module_call_graph": _many(_record("Call")),
    },
    "Signature": {
        "input_specs": _many(_union("InputSpec")),
        "output_specs": _many(_union("OutputSpec")),
    },
    "Call": {"fqn": _is(""), "signature": _record("CallSignature")},
    "CallSignature": {
        "in_spec": _is(INPUT_TREE),
        "out_spec": _is(OUTPUT_TREE),
        "forward_arg_names": _optional(_many(_text(_NAME))),
    },
    "Graph": {
        "inputs": _many(_union("TensorOnly")),
        "outputs": _many(_union("TensorOnly")),
        "nodes": _many(_record("Node")),
        "tensor_values": _named(_NAME, _record("TensorMeta")),
        "sym_int_values": _named(_NAME, _SIZE),
    },
    "Node": {
        "target": _operator,
        "inputs": _many(_option),
        "outputs": _many(_ARGUMENT),
        "name": _optional(_text(_NAME)),
    },
    "NamedArgument": {"name": _text("[A-Za-z0-9_]{0,64}"), "arg": _ARGUMENT, "kind": _KIND},
    "TensorArgument": {"name": _text(_NAME)},
    "TensorMeta": {
        "dtype": _SCALAR_TYPE,
        "sizes": _many(_SIZE),
        "requires_grad": _bool,
        "device": _DEVICE,
        "strides": _many(_SIZE),
        "storage_offset": _union("SymInt"),
        "layout": _STRIDED,
    },
    "Device": {"type": _is("cpu")},
    "SymExpr": {"expr_str": _text(_EXPRESSION), "hint": _optional(_union("SymExprHint"))},
    "UserValue": {"arg": _union("TensorOnly")},
    "Parameter": {"arg": _TENSOR, "parameter_name": _text(_PATH)},
    "Buffer": {"arg": _TENSOR, "buffer_name": _text(_PATH), "persistent": _bool},
    "Constant": {"arg": _TENSOR, "tensor_constant_name": _text(_PATH)},
    "PayloadConfig": {"config": _named(_PATH, _record("Payload"))},
    "Payload": {
        "path_name": _text("(?:weight|tensor)_[0-9]{1,6}"),
        "is_param": _bool,
        "use_pickle": _is(False),
        "tensor_meta": _record("TensorMeta"),
    },
}
