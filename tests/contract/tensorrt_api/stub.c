/* Stands in for libnvinfer, libnvonnxparser and libnvinfer_plugin, so that NVIDIA's own Python
   bindings can be imported and their names read. Every entry point returns nothing: no object of
   TensorRT can be made, and nothing can be built or run. */
#define ENTRY(name) void *name(void) { return 0; }
ENTRY(createInferBuilder_INTERNAL)
ENTRY(createInferRefitter_INTERNAL)
ENTRY(createInferRuntime_INTERNAL)
ENTRY(createNvOnnxParser_INTERNAL)
ENTRY(createNvOnnxParserRefitter_INTERNAL)
ENTRY(getNvOnnxParserVersion)
ENTRY(initLibNvInferPlugins)
ENTRY(getPluginRegistry)
ENTRY(getBuilderPluginRegistry)
/* The parsers for UFF and Caffe, which TensorRT 8 still has. */
ENTRY(_ZN11nvuffparser15createUffParserEv)
ENTRY(_ZN11nvuffparser8FieldMapC1EPKcPKvNS_9FieldTypeEi)
ENTRY(_ZN14nvcaffeparser117createCaffeParserEv)
ENTRY(_ZN14nvcaffeparser123shutdownProtobufLibraryEv)
