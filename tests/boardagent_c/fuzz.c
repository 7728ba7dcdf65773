/* Mutates good inputs at random and gives them to the agent's parsers: `fuzz SEED ROUNDS`. A sanitizer ends it when one of them
   reads or writes where it must not. Prints how many inputs were taken for good. */

#define main agent_main
#include "../../boardagent/c/layerwise_agent.c"
#undef main

static uint64_t state;

static uint32_t dice(uint32_t sides) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 16) % sides;
}

static const char *const JOBS[] = {
    "{\"schema\":2,\"kind\":\"run\",\"run\":\"1\",\"fence\":7,\"artifact\":\"a\",\"inputs\":\"i\",\"npu\":\"rknn1\",\"modes\":[\"plain\",\"dump\"],"
    "\"io\":{\"x\":{\"layout\":\"NHWC\",\"type\":\"u8\",\"pass_through\":true},\"y\":{\"want_float\":false}},"
    "\"sequence\":{\"repeats\":3,\"reloads\":2,\"second\":\"s\"},\"deadline_s\":1.5e2}",
    "{\"have\":12}",
    "{\"event\":\"file\",\"name\":\"a-1.txt\",\"bytes\":12,\"label\":\"\\u00e4\\ud83d\\ude00\xc3\xa4\\n\"}",
    "{\"init_us\":1,\"iterations_us\":[1,2.5,-3e-7],\"npu\":{\"simulated\":true,\"quirks\":[{}]},\"error\":{\"code\":\"c\",\"message\":\"m\"}}",
    "{\"boot_id\":\"x\",\"before\":[[\"/sys/a\",\"b\"],[\"/sys/c\",\"d\"]]}",
};

static const char HEADER[] =
    "{\"__metadata__\":{\"layerwise\":\"inputs/1\"},\"x\":{\"dtype\":\"F32\",\"shape\":[1,2,2],\"data_offsets\":[0,16]},"
    "\"y\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[16,17]}}                                ";

static const char TABLE[] = "\nLayer id:\tName:\tOperation id:\tOperator:\tTarget:\tUid:\tTime(us):\t\n"
                            "  2  Conv 1_1_2  0  RESHUFFLE  TP  1                  11\n  2  Conv 1_1_2  1  CONVOLUTION  NN  -1  920\n"
                            "  3  Pool_9  0  POOLING  SH  33\n  -4  x_1  0  OP  SW  1  2\n";

static const char TABLE_2[] =
    "-----\nID   OpType  DataType Target InputShape  OutputShape  Cycles(DDR/NPU/Total)    Time(us)     MacUsage(%)   RW(KB)   FullName  \n"
    "1    InputOperator    UINT8    CPU    \\    (1,3,6,5)   0/0/0   1    \\   0   InputOperator:image\n"
    "2  Conv  UINT8  NPU  (1,4,6,5),(4)  (1,4,6,5)  96/60/96  17  0.4 - Up:0.0%  2  Conv:a b\n3 Conv U8 NPU a b 1 2 3 17 0.4 2 Conv:\n";

static size_t mutate(char *bytes, size_t size, size_t room) {
    static const char spice[] = "{}[]\",:\\0123456789eE+-.truefalsn \n\t_\x80\xff\xc3\xed";
    uint32_t changes = dice(6);
    while (changes-- > 0 && size > 2) {
        size_t at_byte = dice((uint32_t)size), length = 1 + dice(12);
        if (length > size - at_byte) length = size - at_byte;
        switch (dice(6)) {
            case 0: bytes[at_byte] = (char)dice(256); break;
            case 1: bytes[at_byte] = spice[dice(sizeof spice - 1)]; break;
            case 2: memmove(bytes + at_byte, bytes + at_byte + length, size - at_byte - length), size -= length; break;
            case 3: memcpy(bytes + dice((uint32_t)(size - length + 1)), memcpy((char[16]){0}, bytes + at_byte, length), length); break;
            case 4:
                if (size + length < room) {
                    memmove(bytes + at_byte + length, bytes + at_byte, size - at_byte);
                    size += length;
                }
                break;
            default: size = at_byte + 1; break;
        }
    }
    return size;
}

/* A copy that ends where the heap block ends, so that one byte too far is seen. */
static char *exact(const char *bytes, size_t size) { return memcpy(malloc(size > 0 ? size : 1), bytes, size); }

static int file_of(const char *bytes, size_t size) {
    int fd = memfd_create("fuzz", 0);
    if (!write_all(fd, bytes, size) || lseek(fd, 0, SEEK_SET) != 0) abort();
    return fd;
}

static unsigned long fuzz_json(const char *bytes, size_t size) {
    static struct json json;
    static struct job job;
    static struct run run;
    static struct changes changes;
    struct entry entry;
    char *copy = exact(bytes, size);
    unsigned long good = read_entry(copy, size, &entry);
    int64_t have = 0;
    memset(&job, 0, sizeof job);
    json.copy_to = NULL;
    json.found = job_found;
    json.context = &job;
    good += json_read(&json, -1, copy, size);
    json.found = have_found;
    json.context = &have;
    good += json_read(&json, -1, copy, size);
    json.found = noted_found;
    json.context = &changes;
    good += json_read(&json, -1, copy, size);
    memset(&run.failure, 0, sizeof run.failure);
    writer_begin(&run.result, -1, run.result_bytes, sizeof run.result_bytes);
    writer_begin(&run.about, -1, run.about_bytes, sizeof run.about_bytes);
    run.mode = "plain";
    json.found = report_found;
    json.copy_to = report_copy_to;
    json.context = &run;
    good += json_read(&json, -1, copy, size);
    free(copy);
    return good;
}

static unsigned long fuzz_tensors(char *bytes, size_t size, size_t room) {
    static struct json json;
    static struct tensors tensors;
    char problem[160], whole[2048];
    size_t i, length;
    int fd;
    bool is_good;
    size = mutate(bytes, size, room);
    for (i = 0; i < 8; i++) whole[i] = (char)(size >> (8 * i));
    if (dice(8) == 0) whole[dice(8)] = (char)dice(256);
    memcpy(whole + 8, bytes, size);
    memset(whole + 8 + size, 1, 17);
    length = 8 + size + (dice(4) == 0 ? dice(18) : 17);
    fd = file_of(whole, length);
    is_good = read_tensors(&json, fd, &tensors, problem);
    (void)close(fd);
    return is_good;
}

static unsigned long fuzz_table(int generation, const char *bytes, size_t size) {
    static char out[65536];
    struct writer writer;
    char *copy = exact(bytes, size), build[LONGEST_BUILD];
    size_t rows;
    writer_begin(&writer, -1, out, sizeof out);
    rows = put_perf_table(&writer, generation, copy, size);
    (void)find_build(copy, size, build);
    writer_begin(&writer, -1, out, sizeof out);
    put_text_n(&writer, copy, size, 100);
    free(copy);
    return rows > 0;
}

int main(int count, char **words) {
    unsigned long rounds = count > 2 ? strtoul(words[2], NULL, 10) : 1000, round, good[4] = {0, 0, 0, 0};
    char bytes[1024];
    state = (count > 1 ? strtoull(words[1], NULL, 10) : 1) * 2654435769u + 1;
    for (round = 0; round < rounds; round++) {
        const char *job = JOBS[dice(COUNT_OF(JOBS))];
        size_t size = strlen(job);
        memcpy(bytes, job, size);
        good[0] += fuzz_json(bytes, mutate(bytes, size, sizeof bytes));
        memcpy(bytes, HEADER, sizeof HEADER - 1);
        good[1] += fuzz_tensors(bytes, sizeof HEADER - 1, sizeof bytes);
        if (round % 2 == 0) {
            memcpy(bytes, TABLE, sizeof TABLE - 1);
            good[2] += fuzz_table(1, bytes, mutate(bytes, sizeof TABLE - 1, sizeof bytes));
        } else {
            memcpy(bytes, TABLE_2, sizeof TABLE_2 - 1);
            good[3] += fuzz_table(2, bytes, mutate(bytes, sizeof TABLE_2 - 1, sizeof bytes));
        }
    }
    printf("%lu rounds: %lu JSON, %lu headers, %lu and %lu tables were good\n", rounds, good[0], good[1], good[2], good[3]);
    return 0;
}
