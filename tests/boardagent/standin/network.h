/* The small fixed network that both stand-ins compute, for real, and the model file that describes it.

   A model file is text, by itself or as the graph of an .rknn container ("RKNN", at 16 the graph's length, the graph at
   64): a first line "STANDIN1", then lines "key value":

     h, w                size of the picture (default 6, 5)
     fault NAME          what goes wrong, see faults.h; the environment's RKNN_STANDIN_FAULT comes first
     perf VARIANT        the table of layer times: full (default), nouid, minus, null, empty, garbage
     precompiled 1       no layer can be dumped
     dump_mb N           so many megabytes of further layers in a dump
     dump_pause_ms N     waits so long after each file of a dump

   Network: image (1,3,h,w), quantized u8, and offset (1,4), float
     conv1  1x1 convolution 3 -> 4 plus offset, ReLU   u8, scale 0.02, zero point 8
     dw     3x3 mean, zero padded                       u8, scale 0.02, zero point 4    -> output "map"   (1,4,h,w)
     pool   mean over the picture                       u8, scale 0.01, zero point 0    -> output "score" (1,4)
   A picture's values are 0..255, whatever type they come in; the network sees value / 255. */

#ifndef STANDIN_NETWORK_H
#define STANDIN_NETWORK_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHANNELS 3
#define FILTERS 4
#define LAYERS 3

typedef struct {
    int h, w, precompiled, dump_pause_ms;
    long dump_mb;
    char fault[64], perf[32];
} standin_model;

typedef struct {
    const char *name, *kernel, *operator_, *target;
    float scale;
    int zero_point;
} standin_layer;

static const standin_layer LAYER[LAYERS] = {
    {"Conv_conv1_1_2", "convolution", "CONVOLUTION", "NN", 0.02f, 8},
    {"dw blur_3", "depthwise", "DEPTH_WISE_CONV", "NN", 0.02f, 4},
    {"pool_4", "pooling", "POOLING", "SH", 0.01f, 0},
};

typedef struct {
    standin_model model;
    uint8_t *image;              /* quantized, NCHW */
    float offset[FILTERS];
    uint8_t *out[LAYERS];        /* quantized results */
    long layer_us[LAYERS], run_us;
    int has_image, has_offset, runs;
} standin_network;

static long standin_now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000L + now.tv_nsec / 1000;
}

static void standin_sleep_ms(long ms) {
    struct timespec pause = {ms / 1000, (ms % 1000) * 1000000L};
    nanosleep(&pause, NULL);
}

static uint8_t standin_quantize(float value, float scale, int zero_point) {
    float q = roundf(value / scale + (float)zero_point);
    return (uint8_t)(q < 0 ? 0 : q > 255 ? 255 : q);
}

static float standin_value(uint8_t q, int layer) {
    return ((float)q - (float)LAYER[layer].zero_point) * LAYER[layer].scale;
}

/* 0, or -1 when the bytes are no model file. */
static int standin_parse(standin_model *model, const char *text, size_t size) {
    memset(model, 0, sizeof *model);
    model->h = 6;
    model->w = 5;
    strcpy(model->perf, "full");
    if (size >= 64 && memcmp(text, "RKNN", 4) == 0) {
        uint64_t length;
        memcpy(&length, text + 16, sizeof length);
        if (length > size - 64) return -1;
        text += 64;
        size = (size_t)length;
    }
    if (size < 8 || size > 1 << 16 || memcmp(text, "STANDIN1", 8) != 0) return -1;
    char *copy = calloc(1, size + 1), *rest = NULL;
    memcpy(copy, text, size);
    for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char key[32] = "", value[64] = "";
        if (sscanf(line, "%31s %63s", key, value) != 2) continue;
        if (!strcmp(key, "h")) model->h = atoi(value);
        else if (!strcmp(key, "w")) model->w = atoi(value);
        else if (!strcmp(key, "precompiled")) model->precompiled = atoi(value);
        else if (!strcmp(key, "dump_mb")) model->dump_mb = atol(value);
        else if (!strcmp(key, "dump_pause_ms")) model->dump_pause_ms = atoi(value);
        else if (!strcmp(key, "fault")) snprintf(model->fault, sizeof model->fault, "%s", value);
        else if (!strcmp(key, "perf")) snprintf(model->perf, sizeof model->perf, "%.31s", value);
    }
    free(copy);
    const char *given = getenv("RKNN_STANDIN_FAULT");
    if (given && *given) snprintf(model->fault, sizeof model->fault, "%s", given);
    return model->h > 0 && model->w > 0 && model->h < 4096 && model->w < 4096 ? 0 : -1;
}

static int standin_pixels(const standin_network *net) { return net->model.h * net->model.w; }

static int standin_elements(const standin_network *net, int layer) {
    return layer == 2 ? FILTERS : FILTERS * standin_pixels(net);
}

static standin_network *standin_open(const standin_model *model) {
    standin_network *net = calloc(1, sizeof *net);
    net->model = *model;
    net->image = calloc(CHANNELS, (size_t)standin_pixels(net));
    for (int layer = 0; layer < LAYERS; layer++) net->out[layer] = calloc(1, (size_t)standin_elements(net, layer));
    return net;
}

static void standin_close(standin_network *net) {
    for (int layer = 0; layer < LAYERS; layer++) free(net->out[layer]);
    free(net->image);
    free(net);
}

static void standin_conv1(standin_network *net) {
    int pixels = standin_pixels(net);
    for (int o = 0; o < FILTERS; o++)
        for (int p = 0; p < pixels; p++) {
            float sum = net->offset[o];
            for (int c = 0; c < CHANNELS; c++)
                sum += (float)((o * 3 + c * 5) % 7 - 3) / 4.0f * ((float)net->image[c * pixels + p] / 255.0f);
            net->out[0][o * pixels + p] = standin_quantize(sum < 0 ? 0 : sum, LAYER[0].scale, LAYER[0].zero_point);
        }
}

static void standin_dw(standin_network *net) {
    int h = net->model.h, w = net->model.w;
    for (int o = 0; o < FILTERS; o++)
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++) {
                float sum = 0;
                for (int dy = -1; dy <= 1; dy++)
                    for (int dx = -1; dx <= 1; dx++)
                        if (y + dy >= 0 && y + dy < h && x + dx >= 0 && x + dx < w)
                            sum += standin_value(net->out[0][(o * h + y + dy) * w + x + dx], 0);
                net->out[1][(o * h + y) * w + x] = standin_quantize(sum / 9.0f, LAYER[1].scale, LAYER[1].zero_point);
            }
}

static void standin_pool(standin_network *net) {
    int pixels = standin_pixels(net);
    for (int o = 0; o < FILTERS; o++) {
        float sum = 0;
        for (int p = 0; p < pixels; p++) sum += standin_value(net->out[1][o * pixels + p], 1);
        net->out[2][o] = standin_quantize(sum / (float)pixels, LAYER[2].scale, LAYER[2].zero_point);
    }
}

static void standin_compute(standin_network *net) {
    void (*const step[LAYERS])(standin_network *) = {standin_conv1, standin_dw, standin_pool};
    long begin = standin_now_us();
    for (int layer = 0; layer < LAYERS; layer++) {
        long start = standin_now_us();
        step[layer](net);
        net->layer_us[layer] = standin_now_us() - start + 1;
    }
    net->run_us = standin_now_us() - begin + 1;
    net->runs++;
}

#endif
