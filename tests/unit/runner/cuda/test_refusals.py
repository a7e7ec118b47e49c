"""TensorRT's own words, as versions from 8.0 on wrote them, become the error that they mean."""

from __future__ import annotations

import pytest

from edgenet.errors import CorruptFile, EdgenetError, NotPossible
from edgenet.runner.tensorrt.refusals import failure, not_loaded

# Issues 2041, 2195, 2176 and 3898 of github.com/NVIDIA/TensorRT; NVIDIA/retinanet-examples 314;
# westNeighbor/ComfyUI-ultimate-openpose-estimator 9; the last is what TensorRT for RTX 1.7.1 said
# of five thousand letters x.
FOREIGN = (
    (
        "1: [stdArchiveReader.cpp::StdArchiveReader::40] Error Code 1: Serialization "
        "(Serialization assertion stdVersionRead == serializationVersion failed.Version tag "
        "does not match. Note: Current Version: 213, Serialized Engine Version: 205)"
    ),
    (
        "1: [stdArchiveReader.cpp::StdArchiveReader::35] Error Code 1: Serialization "
        "(Serialization assertion safeVersionRead == safeSerializationVersion "
        "failed.Version tag does not match. Note: Current Version: 0, Serialized Engine "
        "Version: 96)"
    ),
    (
        "The engine plan file is generated on an incompatible device, expecting compute 8.6 "
        "got compute 7.5, please rebuild."
    ),
    (
        "1: [stdArchiveReader.cpp::StdArchiveReaderInitCommon::46] Error Code 1: "
        "Serialization (Serialization assertion stdVersionRead == serializationVersion "
        "failed.Version tag does not match. Note: Current Version: 236, Serialized Engine "
        "Version: 237)"
    ),
    (
        "6: The engine plan file is not compatible with this version of TensorRT, expecting "
        "library version 8.0.0 got 8.0.1, please rebuild."
    ),
    (
        "IRuntime::deserializeCudaEngine: Error Code 6: API Usage Error (The engine plan "
        "file is not compatible with this version of TensorRT, expecting library version "
        "10.12.0.36 got .)"
    ),
    (
        "IRuntime::deserializeCudaEngine: Error Code 1: Serialization (Serialization "
        "assertion header.magicTag == kEXPECTED_MAGIC_TAG failed.Trying to load an engine "
        "created with incompatible serialization version (2021161080 != 1953657974)."
    ),
)
# What TensorRT for RTX 1.7.1 said of an engine of its own, on a machine without a GPU.
NO_GPU = (
    "IRuntime::deserializeCudaEngine: Error Code 1: Cuda Runtime (In ScopedCudaStream at "
    "/_src/common/dispatch/cudaResources.cpp:25 (cudaError 35: CUDA driver version is "
    "insufficient for CUDA runtime version))"
)
# Issues 3017 (twice) and 4254 of github.com/NVIDIA/TensorRT: 8.6 and 10.
NO_MEMORY = (
    (
        "1: [defaultAllocator.cpp::nvinfer1::internal::DefaultAllocator::allocate::19] "
        "Error Code 1: Cuda Runtime (out of memory)"
    ),
    (
        "2: [executionContext.cpp::nvinfer1::rt::ExecutionContext::ExecutionContext::470] "
        "Error Code 2: OutOfMemory (no further information)"
    ),
    (
        "[virtualMemoryBuffer.cpp::resizePhysical::140] Error code 2: out of Memory "
        "(Requested size was 22942842880 bytes.)"
    ),
)


@pytest.mark.parametrize("said", FOREIGN)
def test_a_plan_of_another_version_or_gpu_is_not_possible_here(said: str) -> None:
    """The file may be sound; it is built again."""
    error = not_loaded(
        "model.engine", "TensorRT 8.4.1.5", [said, "4: Engine deserialization failed"]
    )
    assert isinstance(error, NotPossible)
    assert said in error.message
    assert "build" in str(error.hint)


@pytest.mark.parametrize("said", NO_MEMORY)
def test_too_little_memory_is_no_fault_of_the_file(said: str) -> None:
    """When an engine is loaded, and when it is prepared or run."""
    for error in (not_loaded("x", "TensorRT 8.2.1.8", [said]), failure("x", "it failed", [said])):
        assert type(error) is EdgenetError
        assert "free GPU memory" in str(error.hint)


def test_a_gpu_that_fails_is_no_fault_of_the_file() -> None:
    """A good bundle is not called damaged."""
    error = not_loaded("model.engine", "TensorRT for RTX 1.7.1.116", [NO_GPU])
    assert type(error) is EdgenetError
    assert "driver" in str(error.hint)


@pytest.mark.parametrize("errors", [[], ["4: Engine deserialization failed."]])
def test_any_other_refusal_is_of_a_damaged_file(errors: list[str]) -> None:
    """With or without a reason."""
    assert isinstance(not_loaded("model.engine", "TensorRT 8.2.1.8", errors), CorruptFile)
