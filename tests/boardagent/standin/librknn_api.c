/* A stand-in for Rockchip's librknn_api.so 1.7.x: the documented ABI, and a small network of our own behind it.

   Written for the tests from the facts of the C API guide: struct layouts, reversed dims, -5 for a wrong size, a
   version line on standard output at each rknn_init, layer dumps into the working directory when NN_LAYER_DUMP was set
   at the first rknn_init. Its version calls itself simulated, so that nothing it computes passes for a board's.

   gcc -shared -fPIC -O2 -o librknn_api.so librknn_api.c -lm   (the model file: network.h; what can go wrong: faults.h) */

#include "faults.h"

#ifdef __arm__
typedef uint32_t rknn_context;
#else
typedef uint64_t rknn_context;
#endif

#define VERSION "1.7.5 (57a4d17 build: 2026-11-24 00:00:00 base: 0 simulated)"

enum { SUCC = 0, PARAM_INVALID = -5, MODEL_INVALID = -6, CTX_INVALID = -7, INPUT_INVALID = -8, OUTPUT_INVALID = -9 };
enum { IN_OUT_NUM, INPUT_ATTR, OUTPUT_ATTR, PERF_DETAIL, PERF_RUN, SDK_VERSION };
enum { FLOAT32, FLOAT16, INT8, UINT8, INT16 };
enum { NCHW, NHWC };
#define COLLECT_PERF 0x8

typedef struct { uint32_t n_input, n_output; } rknn_input_output_num;
typedef struct {
    uint32_t index, n_dims, dims[16];
    char name[256];
    uint32_t n_elems, size;
    int fmt, type, qnt_type;
    int8_t fl;
    uint32_t zp;
    float scale;
} rknn_tensor_attr;
typedef struct { char *perf_data; uint64_t data_len; } rknn_perf_detail;
typedef struct { int64_t run_duration; } rknn_perf_run;
typedef struct { char api_version[256], drv_version[256]; } rknn_sdk_version;
typedef struct { uint32_t index; void *buf; uint32_t size; uint8_t pass_through; int type, fmt; } rknn_input;
typedef struct { uint8_t want_float, is_prealloc; uint32_t index; void *buf; uint32_t size; } rknn_output;

typedef struct { standin_network *net; int with_perf; char *table; } context_of;
static context_of CONTEXTS[64];
static int dumping = -1; /* read once, when the first context is made, as OpenVX does */

static context_of *find(rknn_context handle) {
    return handle >= 1 && handle <= 64 && CONTEXTS[handle - 1].net ? &CONTEXTS[handle - 1] : NULL;
}

#include "dump.h"

int rknn_init(rknn_context *handle, void *data, uint32_t size, uint32_t flag) {
    standin_model model;
    printf("librknn_runtime version " VERSION "\n");
    if (!handle || !data) return PARAM_INVALID;
    if (standin_parse(&model, data, size) != 0) return MODEL_INVALID;
    int code = standin_fault_at_init(&model);
    if (code != SUCC) return code;
    if (dumping < 0) dumping = getenv("NN_LAYER_DUMP") ? atoi(getenv("NN_LAYER_DUMP")) : 0;
    for (int place = 0; place < 64; place++)
        if (!CONTEXTS[place].net) {
            CONTEXTS[place] = (context_of){standin_open(&model), (flag & COLLECT_PERF) != 0, NULL};
            *handle = (rknn_context)place + 1;
            return SUCC;
        }
    return -4;
}

int rknn_destroy(rknn_context handle) {
    context_of *context = find(handle);
    if (!context) return CTX_INVALID;
    standin_close(context->net);
    free(context->table);
    memset(context, 0, sizeof *context);
    return SUCC;
}

static void describe(rknn_tensor_attr *attr, const char *name, int rank, const uint32_t *reversed, int type, int layer) {
    uint32_t index = attr->index;
    memset(attr, 0, sizeof *attr);
    attr->index = index;
    attr->n_dims = (uint32_t)rank;
    attr->n_elems = 1;
    for (int axis = 0; axis < rank; axis++) attr->n_elems *= attr->dims[axis] = reversed[axis];
    snprintf(attr->name, sizeof attr->name, "%s", name);
    attr->type = type;
    attr->size = attr->n_elems * (type == FLOAT32 ? 4 : 1);
    attr->fmt = NCHW;
    attr->qnt_type = type == UINT8 ? 2 : 0;
    attr->scale = layer >= 0 ? LAYER[layer].scale : type == UINT8 ? 1.0f / 255.0f : 0.0f;
    attr->zp = layer >= 0 ? (uint32_t)LAYER[layer].zero_point : 0;
}

static int describe_input(const standin_network *net, rknn_tensor_attr *attr) {
    uint32_t picture[] = {(uint32_t)net->model.w, (uint32_t)net->model.h, CHANNELS, 1}, row[] = {FILTERS, 1};
    if (attr->index > 1) return INPUT_INVALID;
    if (attr->index == 0) describe(attr, "image_61", 4, picture, UINT8, -1);
    else describe(attr, "offset", 2, row, FLOAT32, -1);
    if (standin_is(net, "attr")) memset(attr->dims, 0xff, sizeof attr->dims), attr->n_dims = 99;
    return SUCC;
}

static int describe_output(const standin_network *net, rknn_tensor_attr *attr) {
    uint32_t picture[] = {(uint32_t)net->model.w, (uint32_t)net->model.h, FILTERS, 1}, row[] = {FILTERS, 1};
    if (attr->index > 1) return OUTPUT_INVALID;
    if (attr->index == 0) describe(attr, "map", 4, picture, UINT8, 1);
    else describe(attr, "score", 2, row, UINT8, 2);
    return SUCC;
}

static void tell_perf(context_of *context, rknn_perf_detail *detail) {
    standin_network *net = context->net;
    const char *variant = net->model.perf;
    free(context->table);
    context->table = NULL;
    *detail = (rknn_perf_detail){NULL, 0};
    if (!context->with_perf || !net->runs || !strcmp(variant, "null")) return;
    size_t room = 4096, used = 0;
    char *text = context->table = calloc(1, room);
    int with_uid = strcmp(variant, "nouid") != 0;
    used += (size_t)snprintf(text, room, "\nLayer id:\tName:\tOperation id:\tOperator:\tTarget:\t%sTime(us):\t\n", with_uid ? "Uid:\t" : "");
    if (!strcmp(variant, "garbage")) used += (size_t)snprintf(text + used, room - used, "\xff\xfe no table %%n\n");
    for (int layer = 0; layer < LAYERS && (!strcmp(variant, "full") || !strcmp(variant, "minus") || !with_uid); layer++)
        for (int operation = layer == 0 ? -1 : 0; operation < 1; operation++) {
            char uid[16] = "";
            if (with_uid) snprintf(uid, sizeof uid, "  %d", !strcmp(variant, "minus") ? -1 : layer + 1);
            const char *name = operation < 0 ? "RESHUFFLE" : LAYER[layer].operator_;
            const char *target = operation < 0 ? "TP" : LAYER[layer].target;
            used += (size_t)snprintf(text + used, room - used, "  %d  %s  %d  %s  %s%s  %18ld\n", layer * 2, LAYER[layer].name,
                                     layer == 0 ? operation + 1 : operation, name, target, uid, net->layer_us[layer]);
        }
    *detail = (rknn_perf_detail){text, used};
}

int rknn_query(rknn_context handle, int cmd, void *info, uint32_t size) {
    static const uint32_t SIZES[] = {sizeof(rknn_input_output_num), sizeof(rknn_tensor_attr), sizeof(rknn_tensor_attr),
                                     sizeof(rknn_perf_detail), sizeof(rknn_perf_run), sizeof(rknn_sdk_version)};
    context_of *context = find(handle);
    if (cmd < 0 || cmd > SDK_VERSION || !info || size != SIZES[cmd]) return PARAM_INVALID;
    if (cmd == SDK_VERSION) {
        rknn_sdk_version *version = info;
        memset(version, 0, sizeof *version);
        snprintf(version->api_version, 256, "%s", VERSION);
        snprintf(version->drv_version, 256, "6.4.6.5.351518");
        return SUCC;
    }
    if (!context) return CTX_INVALID;
    if (standin_code(&context->net->model, "query")) return standin_code(&context->net->model, "query");
    if (cmd == IN_OUT_NUM) *(rknn_input_output_num *)info = (rknn_input_output_num){2, 2};
    if (cmd == INPUT_ATTR) return describe_input(context->net, info);
    if (cmd == OUTPUT_ATTR) return describe_output(context->net, info);
    if (cmd == PERF_DETAIL) tell_perf(context, info);
    if (cmd == PERF_RUN) ((rknn_perf_run *)info)->run_duration = context->net->run_us;
    return SUCC;
}

static int type_bytes(int type) { return type == FLOAT32 ? 4 : type == UINT8 ? 1 : 0; }

static int take_image(standin_network *net, const rknn_input *in) {
    int pixels = standin_pixels(net), type = in->pass_through ? UINT8 : in->type;
    if (!type_bytes(type) || in->size != (uint32_t)(CHANNELS * pixels * type_bytes(type))) return INPUT_INVALID;
    for (int c = 0; c < CHANNELS; c++)
        for (int p = 0; p < pixels; p++) {
            int at = !in->pass_through && in->fmt == NHWC ? p * CHANNELS + c : c * pixels + p;
            if (type == UINT8) net->image[c * pixels + p] = ((const uint8_t *)in->buf)[at];
            else net->image[c * pixels + p] = standin_quantize(((const float *)in->buf)[at], 1.0f, 0);
        }
    net->has_image = 1;
    return SUCC;
}

int rknn_inputs_set(rknn_context handle, uint32_t count, rknn_input in[]) {
    context_of *context = find(handle);
    if (!context) return CTX_INVALID;
    if (standin_code(&context->net->model, "inputs")) return standin_code(&context->net->model, "inputs");
    for (uint32_t i = 0; i < count; i++) {
        if (!in[i].buf || in[i].index > 1) return INPUT_INVALID;
        if (in[i].index == 0 && take_image(context->net, &in[i]) != SUCC) return INPUT_INVALID;
        if (in[i].index == 1) {
            if (in[i].type != FLOAT32 || in[i].size != sizeof context->net->offset) return INPUT_INVALID;
            memcpy(context->net->offset, in[i].buf, sizeof context->net->offset);
            context->net->has_offset = 1;
        }
    }
    return SUCC;
}

int rknn_run(rknn_context handle, void *extend) {
    context_of *context = find(handle);
    (void)extend;
    if (!context) return CTX_INVALID;
    if (!context->net->has_image || !context->net->has_offset) return INPUT_INVALID;
    standin_compute(context->net);
    int code = standin_fault_at_run(context->net);
    if (code == SUCC && dumping) dump_layers(context->net);
    return code;
}

int rknn_outputs_get(rknn_context handle, uint32_t count, rknn_output out[], void *extend) {
    context_of *context = find(handle);
    (void)extend;
    if (!context) return CTX_INVALID;
    if (standin_code(&context->net->model, "outputs")) return standin_code(&context->net->model, "outputs");
    for (uint32_t i = 0; i < count && i < 2; i++) {
        int layer = (int)i + 1, elements = standin_elements(context->net, layer);
        uint32_t bytes = (uint32_t)elements * (out[i].want_float ? 4u : 1u);
        out[i].index = i;
        if (out[i].is_prealloc && (!out[i].buf || out[i].size < bytes)) return OUTPUT_INVALID;
        if (!out[i].is_prealloc) out[i].buf = malloc(bytes);
        out[i].size = standin_is(context->net, "short-output") ? bytes / 2 : bytes;
        for (int e = 0; e < elements; e++) {
            if (out[i].want_float) ((float *)out[i].buf)[e] = standin_value(context->net->out[layer][e], layer);
            else ((uint8_t *)out[i].buf)[e] = context->net->out[layer][e];
        }
    }
    return SUCC;
}

int rknn_outputs_release(rknn_context handle, uint32_t count, rknn_output out[]) {
    if (!find(handle)) return CTX_INVALID;
    for (uint32_t i = 0; i < count; i++)
        if (!out[i].is_prealloc) free(out[i].buf), out[i].buf = NULL;
    return SUCC;
}
