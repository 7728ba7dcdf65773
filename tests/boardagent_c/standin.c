/* A stand-in for librknn_api.so 1.7.x: the documented ABI, one input "x_7" (1,1,2,3) and one output "y" that is twice the input.

   The model file is the text "STANDIN " and a mode: ok, noise (outputs differ from run to run), init-6 (rknn_init returns -6), platform (-13), exit
   (rknn_init ends the process), hang, segv (in rknn_run), chatty (prints a megabyte), nouid, garbage, null (the table of times),
   precompiled (nothing is dumped), attr (garbage for a description), short (too short an output), big-dump (64 files of 64 KB).
   gcc -shared -fPIC -o librknn_api.so standin.c */

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __arm__
typedef uint32_t context;
#else
typedef uint64_t context;
#endif

struct attr {
    uint32_t index, dims_count, dims[16];
    char name[256];
    uint32_t elements, size;
    int format, type, quantization;
    int8_t fl;
    uint32_t zp;
    float scale;
};
struct detail { char *text; uint64_t length; };
struct version { char api[256], driver[256]; };
struct input { uint32_t index; void *bytes; uint32_t size; uint8_t pass_through; int type, format; };
struct output { uint8_t want_float, is_preallocated; uint32_t index; void *bytes; uint32_t size; };

static char mode[32];
static float values[6];
static float result[6];
static int with_perf, runs;

static int is(const char *word) { return strcmp(mode, word) == 0; }

int rknn_init(context *handle, void *model, uint32_t size, uint32_t flag) {
    printf("librknn_runtime version 1.7.5 (simulated)\n");
    if (size < 9 || size > 30 || memcmp(model, "STANDIN ", 8) != 0) return -6;
    memset(mode, 0, sizeof mode);
    memcpy(mode, (char *)model + 8, size - 8);
    with_perf = (flag & 8) != 0;
    if (is("init-6")) return -6;
    if (is("platform")) {
        fprintf(stderr, "E RKNNAPI: rknn model target platform[0] is RK1808, while current platform is RV1126\n");
        return -13;
    }
    if (is("exit")) {
        fprintf(stderr, "FATAL: failed to open device /dev/galcore, try more than 5 times\n");
        exit(1);
    }
    *handle = 1;
    return 0;
}

int rknn_destroy(context handle) { return handle == 1 ? 0 : -7; }

static void describe(struct attr *attr, const char *name) {
    uint32_t index = attr->index, reversed[4] = {3, 2, 1, 1};
    memset(attr, 0, sizeof *attr);
    attr->index = index;
    attr->dims_count = is("attr") ? 99 : 4;
    memcpy(attr->dims, reversed, sizeof reversed);
    strcpy(attr->name, name);
    attr->elements = 6;
    attr->size = 24;
}

static void tell_times(struct detail *detail) {
    static char text[4096];
    const char *uid = is("nouid") ? "" : "Uid:\t", *one = is("nouid") ? "" : "  1", *two = is("nouid") ? "" : "  -1";
    *detail = (struct detail){NULL, 0};
    if (!with_perf || is("null")) return;
    if (is("garbage")) strcpy(text, "\n\xff\xfe %n%n no table\n 3 4\n");
    else
        sprintf(text,
                "\nLayer id:\tName:\tOperation id:\tOperator:\tTarget:\t%sTime(us):\t\n"
                "  2  Conv 1_1_2  0  RESHUFFLE  TP%s  %18d\n  2  Conv 1_1_2  1  CONVOLUTION  NN%s  %18d\n"
                "  3  Pool_9  0  POOLING  SH%s  %18d\n",
                uid, one, 11, one, 920, two, 33);
    *detail = (struct detail){text, strlen(text)};
}

int rknn_query(context handle, int command, void *info, uint32_t size) {
    static const uint32_t sizes[] = {8, sizeof(struct attr), sizeof(struct attr), sizeof(struct detail), 8, sizeof(struct version)};
    if (command < 0 || command > 5 || size != sizes[command]) return -5;
    if (command == 5) {
        strcpy(((struct version *)info)->api, "1.7.5 (57a4d17 build: 2026-11-24 simulated)");
        strcpy(((struct version *)info)->driver, "6.4.6.5.351518");
        return 0;
    }
    if (handle != 1) return -7;
    if (command == 0) memcpy(info, (uint32_t[]){1, 1}, 8);
    if (command == 1) describe(info, "x_7");
    if (command == 2) describe(info, "y");
    if (command == 3) tell_times(info);
    if (command == 4) *(int64_t *)info = 1000 + runs;
    return 0;
}

int rknn_inputs_set(context handle, uint32_t count, struct input *inputs) {
    if (handle != 1 || count != 1 || inputs[0].size != sizeof values || inputs[0].type != 0) return -8;
    memcpy(values, inputs[0].bytes, sizeof values);
    return 0;
}

static void dump_layer(int id, int lines) {
    char name[100];
    sprintf(name, "NodeID_%d_convolution_w_3_h_2_d_1_batchID_0_out_0.txt", id);
    FILE *file = fopen(name, "w");
    for (int i = 0; file && i < lines; i++) fprintf(file, "%f\n", (double)result[i % 6]);
    if (file) fclose(file);
}

static void dump(void) {
    int files = is("big-dump") ? 64 : 2;
    for (int id = 1; id <= files; id++) {
        dump_layer(id, is("big-dump") ? 7282 : 6);
        if (is("big-dump")) usleep(10000);
    }
    FILE *names = fopen("NodeID_To_LayerName.txt", "w");
    if (!names) return;
    fprintf(names, "NodeID\tLayerName\n 1\tConv 1_1_2\n 2\tPool_9\n");
    fclose(names);
}

int rknn_run(context handle, void *extend) {
    (void)extend;
    if (handle != 1) return -7;
    runs++;
    while (is("hang")) pause();
    if (is("segv")) raise(SIGSEGV);
    for (int i = 0; is("chatty") && i < 16384; i++) printf("{\"event\":\"end\",\"of\":\"the vendor's library talking on stdout\"}\n");
    for (int i = 0; i < 6; i++) result[i] = values[i] * 2 + (is("noise") ? (float)runs : 0.0f);
    if (getenv("NN_LAYER_DUMP") && !is("precompiled")) dump();
    return 0;
}

int rknn_outputs_get(context handle, uint32_t count, struct output *outputs, void *extend) {
    (void)extend;
    if (handle != 1 || count != 1 || !outputs[0].want_float) return -9;
    outputs[0].bytes = malloc(sizeof result);
    memcpy(outputs[0].bytes, result, sizeof result);
    outputs[0].size = is("short") ? 8 : sizeof result;
    return 0;
}

int rknn_outputs_release(context handle, uint32_t count, struct output *outputs) {
    for (uint32_t i = 0; i < count; i++) free(outputs[i].bytes);
    return handle == 1 ? 0 : -7;
}
