/* What the stand-ins can do wrong. A fault is named by the model file or by RKNN_STANDIN_FAULT:

     init:-N run:-N inputs:-N outputs:-N query:-N   the call returns that code (init:-13 prints the vendor's line)
     exit          rknn_init tries five times (RKNN_STANDIN_TRY_MS each, 1000), says FATAL, ends the process with 1
     quiet         rknn_init is silent for 5 s (RKNN_STANDIN_TRY_MS * 5) and then works
     hang-init hang    never comes back from rknn_init (and says so on standard error), or from the second rknn_run
     segv          SIGSEGV in rknn_run
     abort         SIGABRT in rknn_run
     chatty        a megabyte on standard output in rknn_run
     noise         outputs differ from run to run
     first-right   the first run after rknn_init is right, later ones are noise
     sticky        an execution after another input still holds a piece of that one
     slow-once     every eighth run takes 300 ms longer
     attr          garbage in the tensor attributes
     short-output  an output's buffer is shorter than its attributes say

   RKNN_STANDIN_LOAD_MS: so long does loading the library take. */

#ifndef STANDIN_FAULTS_H
#define STANDIN_FAULTS_H

#include "network.h"

#include <signal.h>
#include <unistd.h>

static int standin_is(const standin_network *net, const char *fault) { return !strcmp(net->model.fault, fault); }

/* The code a call has to return because of a fault "CALL:CODE", or 0. */
static int standin_code(const standin_model *model, const char *call) {
    size_t length = strlen(call);
    if (strncmp(model->fault, call, length) != 0 || model->fault[length] != ':') return 0;
    return atoi(model->fault + length + 1);
}

static long standin_try_ms(void) {
    const char *given = getenv("RKNN_STANDIN_TRY_MS");
    return given ? atol(given) : 1000;
}

__attribute__((constructor)) static void standin_load(void) {
    const char *given = getenv("RKNN_STANDIN_LOAD_MS");
    if (given) standin_sleep_ms(atol(given));
}

static int standin_fault_at_init(const standin_model *model) {
    int code = standin_code(model, "init");
    if (code == -13) fprintf(stderr, "E RKNNAPI: rknn model target platform[0] is RK1808, while current platform is RV1126\n");
    if (!strcmp(model->fault, "quiet")) standin_sleep_ms(5 * standin_try_ms());
    if (!strcmp(model->fault, "exit")) {
        for (int attempt = 0; attempt < 5; attempt++) standin_sleep_ms(standin_try_ms());
        fprintf(stderr, "FATAL: failed to open device /dev/galcore, try more than 5 times\n");
        exit(1);
    }
    if (!strcmp(model->fault, "hang-init")) fprintf(stderr, "E RKNNAPI: waiting for the device\n");
    while (!strcmp(model->fault, "hang-init")) pause();
    return code;
}

static void standin_noise(standin_network *net) {
    static uint32_t state = 2463534242u;
    for (int layer = 1; layer < LAYERS; layer++)
        for (int i = 0; i < standin_elements(net, layer); i++) {
            state ^= state << 13, state ^= state >> 17, state ^= state << 5;
            net->out[layer][i] = (uint8_t)state;
        }
}

static void standin_stick(standin_network *net) {
    static uint8_t before = 0;
    uint8_t now = net->out[1][0];
    if (net->runs > 1 && before != now) net->out[1][0] = before;
    before = now;
}

static int standin_fault_at_run(standin_network *net) {
    if (standin_is(net, "segv")) raise(SIGSEGV);
    if (standin_is(net, "abort")) abort();
    while (standin_is(net, "hang") && net->runs > 1) pause();
    if (standin_is(net, "slow-once") && net->runs % 8 == 0) standin_sleep_ms(300);
    if (standin_is(net, "noise") || (standin_is(net, "first-right") && net->runs > 1)) standin_noise(net);
    if (standin_is(net, "sticky")) standin_stick(net);
    if (standin_is(net, "chatty"))
        for (int line = 0; line < 16384; line++) printf("{\"event\":\"end\",\"of\":\"the vendor's library talking on stdout\"}\n");
    return standin_code(&net->model, "run");
}

#endif
