/* A stand-in for libcudart in host memory: the same C functions, used by tests alone.
 *
 * It counts what lives, fails an allocation on demand, and remembers a fault of the "device" as the
 * real library does: after it every call answers with that fault. What it knows of a test it reads
 * from environment variables when it is loaded, since the probe loads it in another process:
 *
 *   FAKECUDART_DEVICES   how many devices there are (1)
 *   FAKECUDART_CODE      what cudaGetDeviceCount answers (0)
 *   FAKECUDART_DRIVER    what cudaDriverGetVersion tells (12060)
 *   FAKECUDART_CRASH     if set, cudaGetDeviceCount crashes
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OK = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INSUFFICIENT_DRIVER = 35, NO_DEVICE = 100,
       INVALID_DEVICE = 101, INVALID_HANDLE = 400, ILLEGAL_ADDRESS = 700 };
enum { DEVICE = 0, PINNED, STREAM, EVENT, KINDS };

#define MAX_LIVE 4096
#define TOTAL ((size_t)4 << 30)

typedef struct { void *address; size_t bytes; int kind; } block;

static block blocks[MAX_LIVE];
static int live[KINDS];
static size_t device_bytes;
static long allocations, fail_at = -1;   /* fail_at counts from 0; -1: never */
static int device_fault, synchronized, chosen = -1;

static int number(const char *name, int otherwise) {
    const char *text = getenv(name);
    return text ? atoi(text) : otherwise;
}

static block *find(const void *address) {
    for (int i = 0; i < MAX_LIVE; i++)
        if (blocks[i].address && (const char *)address >= (char *)blocks[i].address
            && (const char *)address < (char *)blocks[i].address + blocks[i].bytes) return &blocks[i];
    return NULL;
}

static int take(void **out, size_t bytes, int kind) {
    if (device_fault) return device_fault;
    if (!out) return INVALID_VALUE;
    if (allocations++ == fail_at) return OUT_OF_MEMORY;
    if (kind == DEVICE && bytes > TOTAL - device_bytes) return OUT_OF_MEMORY;
    for (int i = 0; i < MAX_LIVE; i++) {
        if (blocks[i].address) continue;
        blocks[i].address = calloc(1, bytes ? bytes : 1);
        if (!blocks[i].address) return OUT_OF_MEMORY;
        blocks[i].bytes = bytes ? bytes : 1;
        blocks[i].kind = kind;
        live[kind]++;
        if (kind == DEVICE) device_bytes += blocks[i].bytes;
        *out = blocks[i].address;
        return OK;
    }
    return OUT_OF_MEMORY;
}

static int give(void *address, int kind) {
    if (!address) return kind == DEVICE ? OK : INVALID_HANDLE; /* only cudaFree is told to take 0 */
    block *found = find(address);
    if (!found || found->address != address || found->kind != kind) return INVALID_VALUE;
    if (kind == DEVICE) device_bytes -= found->bytes;
    free(found->address);
    found->address = NULL;
    live[kind]--;
    return device_fault;
}

static int is(void *handle, int kind) {
    block *found = find(handle);
    return found && found->address == handle && found->kind == kind;
}

int cudaGetDeviceCount(int *count) {
    if (getenv("FAKECUDART_CRASH")) *(volatile int *)0 = 1;
    *count = number("FAKECUDART_DEVICES", 1);
    return number("FAKECUDART_CODE", OK);
}
int cudaSetDevice(int device) {
    if (device < 0 || device >= number("FAKECUDART_DEVICES", 1)) return INVALID_DEVICE;
    chosen = device;
    return OK;
}
int cudaDeviceGetAttribute(int *value, int attribute, int device) {
    if (device < 0 || device >= number("FAKECUDART_DEVICES", 1)) return INVALID_DEVICE;
    if (attribute != 75 && attribute != 76) return INVALID_VALUE;
    *value = attribute == 75 ? 8 : 7;
    return OK;
}
int cudaGetDeviceProperties(void *properties, int device) { /* as long as CUDA 13's */
    if (device < 0 || device >= number("FAKECUDART_DEVICES", 1)) return INVALID_DEVICE;
    memset(properties, 'x', 1008);
    strcpy(properties, "Stand-in");
    return OK;
}
int cudaRuntimeGetVersion(int *version) { *version = 12020; return OK; }
int cudaDriverGetVersion(int *version) { *version = number("FAKECUDART_DRIVER", 12060); return OK; }
int cudaMemGetInfo(size_t *free_bytes, size_t *total_bytes) {
    *total_bytes = TOTAL;
    *free_bytes = TOTAL - device_bytes;
    return device_fault;
}

const char *cudaGetErrorName(int code) {
    switch (code) {
    case INVALID_VALUE: return "cudaErrorInvalidValue";
    case OUT_OF_MEMORY: return "cudaErrorMemoryAllocation";
    case INSUFFICIENT_DRIVER: return "cudaErrorInsufficientDriver";
    case NO_DEVICE: return "cudaErrorNoDevice";
    case INVALID_DEVICE: return "cudaErrorInvalidDevice";
    case INVALID_HANDLE: return "cudaErrorInvalidResourceHandle";
    case ILLEGAL_ADDRESS: return "cudaErrorIllegalAddress";
    default: return "unrecognized error code";
    }
}
const char *cudaGetErrorString(int code) {
    switch (code) {
    case INVALID_VALUE: return "invalid argument";
    case OUT_OF_MEMORY: return "out of memory";
    case INSUFFICIENT_DRIVER: return "CUDA driver version is insufficient for CUDA runtime version";
    case NO_DEVICE: return "no CUDA-capable device is detected";
    case INVALID_DEVICE: return "invalid device ordinal";
    case INVALID_HANDLE: return "invalid resource handle";
    case ILLEGAL_ADDRESS: return "an illegal memory access was encountered";
    default: return "unrecognized error code";
    }
}

int cudaMalloc(void **address, size_t bytes) { return take(address, bytes, DEVICE); }
int cudaFree(void *address) { return give(address, DEVICE); }
int cudaMallocHost(void **address, size_t bytes) { return take(address, bytes, PINNED); }
int cudaFreeHost(void *address) { return give(address, PINNED); }

int cudaMemcpyAsync(void *to, const void *from, size_t bytes, int kind, void *stream) {
    if (device_fault) return device_fault;
    if (!is(stream, STREAM)) return INVALID_HANDLE;
    const void *on_device = kind == 1 ? to : kind == 2 ? from : NULL;
    block *found = on_device ? find(on_device) : NULL;
    if (!found || found->kind != DEVICE) return INVALID_VALUE;
    if ((const char *)on_device + bytes > (char *)found->address + found->bytes) return INVALID_VALUE;
    memcpy(to, from, bytes);
    return OK;
}

int cudaStreamCreate(void **stream) { return take(stream, 8, STREAM); }
int cudaStreamDestroy(void *stream) { return give(stream, STREAM); }
int cudaStreamSynchronize(void *stream) {
    if (device_fault) return device_fault;
    if (!is(stream, STREAM)) return INVALID_HANDLE;
    synchronized++;
    return OK;
}

/* An event's block holds when it was recorded, and after how many waits it can be read. */
typedef struct { struct timespec at; int after; } event;
int cudaEventCreate(void **out) { return take(out, sizeof(event), EVENT); }
int cudaEventDestroy(void *handle) { return give(handle, EVENT); }
int cudaEventRecord(void *handle, void *stream) {
    if (device_fault) return device_fault;
    if (!is(handle, EVENT) || !is(stream, STREAM)) return INVALID_HANDLE;
    clock_gettime(CLOCK_MONOTONIC, &((event *)handle)->at);
    ((event *)handle)->after = synchronized + 1;
    return OK;
}
int cudaEventElapsedTime(float *ms, void *first, void *second) {
    if (!is(first, EVENT) || !is(second, EVENT)) return INVALID_HANDLE;
    event *a = first, *b = second;
    if (!a->after || synchronized < b->after) return 600; /* cudaErrorNotReady */
    *ms = (b->at.tv_sec - a->at.tv_sec) * 1e3f + (b->at.tv_nsec - a->at.tv_nsec) / 1e6f;
    return OK;
}

/* What tests ask and set. */
int fake_live(int kind) { return live[kind]; }
int fake_live_all(void) { return live[DEVICE] + live[PINNED] + live[STREAM] + live[EVENT]; }
int fake_synchronized(void) { return synchronized; }
int fake_device(void) { return chosen; }
long fake_allocations(void) { return allocations; }
size_t fake_bytes_at(void *address) { block *found = find(address); return found ? found->bytes : 0; }
void fake_fail_allocation(long number_from_now) {
    fail_at = number_from_now < 0 ? -1 : allocations + number_from_now;
}
void fake_fault(int code) { device_fault = code; }
