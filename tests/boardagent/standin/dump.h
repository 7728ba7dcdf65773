/* NN_LAYER_DUMP as the 1.7.x runtime does it: one text file per operation, then NodeID_To_LayerName.txt, all in the
   working directory, one "%f" a line, planar, overwritten by each run. */

static FILE *dump_open(int id, const char *kernel, int w, int h, int d) {
    char name[256];
    snprintf(name, sizeof name, "NodeID_%d_%s_w_%d_h_%d_d_%d_batchID_0_out_0.txt", id, kernel, w, h, d);
    return fopen(name, "w");
}

/* `megabytes` of further layers, in files of at most 16 MB, each line "%f" of a number that can be told from its place. */
static int dump_big(const standin_network *net, FILE *names) {
    int id = LAYERS;
    for (long left = net->model.dump_mb; left > 0; left -= 16, id++) {
        long lines = (left < 16 ? left : 16) * 1024 * 1024 / 9; /* "1.000000\n" is nine bytes */
        FILE *file = dump_open(id, "convolution", 1024, (int)((lines + 1023) / 1024), 1);
        if (!file) return -1;
        for (long i = 0; i < (lines + 1023) / 1024 * 1024; i++) fprintf(file, "%ld.%06ld\n", i % 10, (i * 7919 + id) % 1000000);
        fclose(file);
        fprintf(names, " %d\tbig_%d_%d\n", id, id - LAYERS, id);
        standin_sleep_ms(net->model.dump_pause_ms);
    }
    return 0;
}

static void dump_layers(const standin_network *net) {
    if (net->model.precompiled) {
        printf("Internal tensors cannot be dumpped.\n");
        return;
    }
    char *text = NULL;
    size_t size = 0;
    FILE *names = open_memstream(&text, &size);
    fprintf(names, "NodeID\tLayerName\n");
    for (int layer = 0; layer < LAYERS; layer++) {
        int w = layer == 2 ? FILTERS : net->model.w, h = layer == 2 ? 1 : net->model.h, d = layer == 2 ? 1 : FILTERS;
        FILE *file = dump_open(layer, LAYER[layer].kernel, w, h, d);
        if (!file) break;
        for (int e = 0; e < standin_elements(net, layer); e++) fprintf(file, "%f\n", (double)standin_value(net->out[layer][e], layer));
        fclose(file);
        fprintf(names, " %d\t%s\n", layer, LAYER[layer].name);
        standin_sleep_ms(net->model.dump_pause_ms);
    }
    dump_big(net, names);
    fprintf(names, " unknow node!\n");
    fclose(names);
    FILE *table = fopen("NodeID_To_LayerName.txt", "w");
    if (table) {
        fwrite(text, 1, size, table);
        fclose(table);
    }
    free(text);
}
