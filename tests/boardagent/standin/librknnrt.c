/* A stand-in for RKNPU2's librknnrt.so: the ABI of the public rknn_api.h (attributes of 376 bytes, dims in order, a fifth
   argument of rknn_init, queries of time valid after rknn_outputs_get), the same small network, a table of layer times of
   its own form, and layer dumps as .npy where RKNN_LOG_LEVEL is 5 and RKNN_DUMP_DIR names a folder.

   gcc -shared -fPIC -O2 -o librknnrt.so librknnrt.c -lm */

#include "faults.h"

#ifdef __arm__
typedef uint32_t rknn_context;
#else
typedef uint64_t rknn_context;
#endif

#define VERSION "2.3.2 (57a4d17@2026-11-24T00:00:00 simulated)"

enum { SUCC = 0, PARAM_INVALID = -5, MODEL_INVALID = -6, CTX_INVALID = -7, INPUT_INVALID = -8 };
enum { IN_OUT_NUM, INPUT_ATTR, OUTPUT_ATTR, PERF_DETAIL, PERF_RUN, SDK_VERSION };
enum { FLOAT32, FLOAT16, INT8, UINT8 };
enum { NCHW, NHWC, NC1HWC2, UNDEFINED };

const char BUILD[] = "librknnrt version: " VERSION;

typedef struct {
    uint32_t index, n_dims, dims[16];
    char name[256];
    uint32_t n_elems, size;
    int fmt, type, qnt_type;
    int8_t fl;
    int32_t zp;
    float scale;
    uint32_t w_stride, size_with_stride;
    uint8_t pass_through;
    uint32_t h_stride;
} rknn_tensor_attr;
typedef struct { char *perf_data; uint64_t data_len; } rknn_perf_detail;
typedef struct { uint32_t index; void *buf; uint32_t size; uint8_t pass_through; int type, fmt; } rknn_input;
typedef struct { uint8_t want_float, is_prealloc; uint32_t index; void *buf; uint32_t size; } rknn_output;

static standin_network *NET;
static char *TABLE;
static int with_perf, fetched;

int rknn_init(rknn_context *handle, void *data, uint32_t size, uint32_t flag, void *extend) {
    standin_model model;
    (void)extend;
    if (!handle || !data) return PARAM_INVALID;
    if (standin_parse(&model, data, size) != 0) return MODEL_INVALID;
    int code = standin_fault_at_init(&model);
    if (code != SUCC) return code;
    NET = standin_open(&model);
    with_perf = (flag & 8) != 0;
    *handle = (rknn_context)0x7f0000a1;
    return SUCC;
}

int rknn_destroy(rknn_context handle) {
    (void)handle;
    if (!NET) return CTX_INVALID;
    standin_close(NET);
    free(TABLE);
    NET = NULL;
    TABLE = NULL;
    return SUCC;
}

static int describe(rknn_tensor_attr *attr, int is_output) {
    uint32_t index = attr->index;
    if (index > 1) return PARAM_INVALID;
    memset(attr, 0, sizeof *attr);
    attr->index = index;
    uint32_t h = (uint32_t)NET->model.h, w = (uint32_t)NET->model.w;
    uint32_t nhwc[4] = {1, h, w, CHANNELS}, nchw[4] = {1, FILTERS, h, w}, row[2] = {1, FILTERS};
    attr->n_dims = index == 0 ? 4 : 2;
    memcpy(attr->dims, index == 1 ? row : is_output ? nchw : nhwc, attr->n_dims * 4);
    snprintf(attr->name, sizeof attr->name, "%s", is_output ? (index ? "score" : "map") : (index ? "offset" : "image"));
    attr->fmt = index == 1 ? UNDEFINED : is_output ? NCHW : NHWC;
    attr->type = !is_output && index == 1 ? FLOAT32 : UINT8;
    attr->n_elems = 1;
    for (uint32_t axis = 0; axis < attr->n_dims; axis++) attr->n_elems *= attr->dims[axis];
    attr->size = attr->size_with_stride = attr->n_elems * (attr->type == FLOAT32 ? 4u : 1u);
    if (attr->type == UINT8) {
        attr->qnt_type = 2;
        attr->scale = is_output ? LAYER[index + 1].scale : 1.0f / 255.0f;
        attr->zp = is_output ? LAYER[index + 1].zero_point : 0;
    }
    return SUCC;
}

static const char RULE[] = "----------------------------------------------------------------------------------------------------\n";

static void tell_perf(rknn_perf_detail *detail) {
    long total = 0;
    free(TABLE);
    TABLE = NULL;
    *detail = (rknn_perf_detail){NULL, 0};
    if (!with_perf || !fetched) return;
    TABLE = calloc(1, 8192);
    int used = snprintf(TABLE, 8192, "%s                           Network Layer Information Table\n%s", RULE, RULE);
    used += snprintf(TABLE + used, 8192 - (size_t)used, "ID   OpType           DataType Target InputShape               OutputShape            "
                     "Cycles(DDR/NPU/Total)    Time(us)     MacUsage(%%)          WorkLoad(0/1/2)      RW(KB)       FullName        \n%s", RULE);
    used += snprintf(TABLE + used, 8192 - (size_t)used, "1    InputOperator    UINT8    CPU    \\                        (1,3,%d,%d)            0/0/0"
                     "                    %-13d\\                    0.0%%/0.0%%/0.0%%       0            InputOperator:image\n", NET->model.h, NET->model.w, 1);
    for (int layer = 0; layer < LAYERS; layer++) {
        total += NET->layer_us[layer];
        used += snprintf(TABLE + used, 8192 - (size_t)used, "%-5d%-17s%-9s%-7s%-25s%-23s%-25s%-13ld%-21s%-21s%-13d%s:%s\n", layer + 2,
                         layer == 2 ? "AveragePool" : "Conv", "UINT8", layer == 2 ? "CPU" : "NPU", "(1,4,6,5),(4,4,1,1),(4)", "(1,4,6,5)",
                         "96/60/96", NET->layer_us[layer], "0.41/0.00/0.00", "100.0%/0.0%/0.0%", 2, "Conv", LAYER[layer].name);
    }
    used += snprintf(TABLE + used, 8192 - (size_t)used, "%sTotal Operator Elapsed Per Frame Time(us): %ld\n%s", RULE, total + 1, RULE);
    *detail = (rknn_perf_detail){TABLE, (uint64_t)used};
}

int rknn_query(rknn_context handle, int cmd, void *info, uint32_t size) {
    static const uint32_t SIZES[] = {8, sizeof(rknn_tensor_attr), sizeof(rknn_tensor_attr), sizeof(rknn_perf_detail), 8, 512};
    (void)handle;
    if (cmd < 0 || cmd > SDK_VERSION || !info || size != SIZES[cmd]) return PARAM_INVALID;
    if (!NET) return CTX_INVALID;
    if (cmd == IN_OUT_NUM) ((uint32_t *)info)[0] = 2, ((uint32_t *)info)[1] = 2;
    if (cmd == INPUT_ATTR || cmd == OUTPUT_ATTR) return describe(info, cmd == OUTPUT_ATTR);
    if (cmd == PERF_DETAIL) tell_perf(info);
    if (cmd == PERF_RUN) *(int64_t *)info = fetched ? NET->run_us : 0;
    if (cmd == SDK_VERSION) {
        memset(info, 0, 512);
        snprintf(info, 256, "%s", VERSION);
        snprintf((char *)info + 256, 256, "0.9.8");
    }
    return SUCC;
}

int rknn_inputs_set(rknn_context handle, uint32_t count, rknn_input in[]) {
    (void)handle;
    if (!NET) return CTX_INVALID;
    int pixels = standin_pixels(NET);
    for (uint32_t i = 0; i < count; i++) {
        if (in[i].index == 1) {
            if (in[i].type != FLOAT32 || in[i].size != sizeof NET->offset) return INPUT_INVALID;
            memcpy(NET->offset, in[i].buf, sizeof NET->offset);
            continue;
        }
        if (in[i].type != UINT8 || in[i].size != (uint32_t)(CHANNELS * pixels)) return INPUT_INVALID;
        for (int c = 0; c < CHANNELS; c++)
            for (int p = 0; p < pixels; p++)
                NET->image[c * pixels + p] = ((const uint8_t *)in[i].buf)[in[i].fmt == NHWC ? p * CHANNELS + c : c * pixels + p];
    }
    return SUCC;
}

/* Version 1.0 of the .npy format: magic, two bytes of version, length of the header, the header, the values. */
static void dump_layer(const char *folder, int layer) {
    char name[512], header[118], shape[64];
    if (layer == 2) snprintf(shape, sizeof shape, "(1, %d)", FILTERS);
    else snprintf(shape, sizeof shape, "(1, %d, %d, %d)", FILTERS, NET->model.h, NET->model.w);
    snprintf(name, sizeof name, "%s/%03d_Conv_%s_shape_%s_float.npy", folder, layer + 1, LAYER[layer].name, layer == 2 ? "1_4" : "1_4_h_w");
    FILE *file = fopen(name, "wb");
    if (!file) return;
    int used = snprintf(header, sizeof header, "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }", shape);
    memset(header + used, ' ', sizeof header - (size_t)used);
    header[sizeof header - 1] = '\n';
    fwrite("\x93NUMPY\x01\x00\x76\x00", 1, 10, file);
    fwrite(header, 1, sizeof header, file);
    for (int e = 0; e < standin_elements(NET, layer); e++) {
        float value = standin_value(NET->out[layer][e], layer);
        fwrite(&value, 4, 1, file);
    }
    fclose(file);
}

int rknn_run(rknn_context handle, void *extend) {
    const char *level = getenv("RKNN_LOG_LEVEL"), *folder = getenv("RKNN_DUMP_DIR");
    (void)handle, (void)extend;
    if (!NET) return CTX_INVALID;
    standin_compute(NET);
    fetched = 0;
    int code = standin_fault_at_run(NET);
    for (int layer = 0; code == SUCC && level && atoi(level) >= 5 && folder && layer < LAYERS; layer++)
        if (!NET->model.precompiled) dump_layer(folder, layer);
    return code;
}

int rknn_outputs_get(rknn_context handle, uint32_t count, rknn_output out[], void *extend) {
    (void)handle, (void)extend;
    if (!NET) return CTX_INVALID;
    for (uint32_t i = 0; i < count && i < 2; i++) {
        int layer = (int)i + 1, elements = standin_elements(NET, layer);
        out[i].index = i;
        out[i].size = (uint32_t)elements * (out[i].want_float ? 4u : 1u);
        if (!out[i].is_prealloc) out[i].buf = malloc(out[i].size);
        for (int e = 0; e < elements; e++) {
            if (out[i].want_float) ((float *)out[i].buf)[e] = standin_value(NET->out[layer][e], layer);
            else ((uint8_t *)out[i].buf)[e] = NET->out[layer][e];
        }
    }
    fetched = 1;
    return SUCC;
}

int rknn_outputs_release(rknn_context handle, uint32_t count, rknn_output out[]) {
    (void)handle;
    for (uint32_t i = 0; i < count; i++)
        if (!out[i].is_prealloc) free(out[i].buf), out[i].buf = NULL;
    return SUCC;
}
