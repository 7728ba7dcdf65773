/* Answers of the agent's parts, one a line, for a test to compare: `checks json`, `checks sha256`, `checks md5`, `checks table1`
   and `checks table2` (layer times of either generation) of what comes on standard input. */

#define main agent_main
#include "../../boardagent/c/layerwise_agent.c"
#undef main

static void nothing(struct json *json, int level, enum json_type type) {
    (void)json;
    (void)level;
    (void)type;
}

static int check_json(void) {
    static struct json json;
    json.found = nothing;
    printf("%s\n", json_read(&json, 0, NULL, MAX_LINE) ? "good" : json.problem);
    return 0;
}

static int check_digest(bool is_md5) {
    struct digest digest;
    char bytes[1000], hex[65];
    ssize_t got;
    digest_begin(&digest, is_md5);
    while ((got = read_all(0, bytes, 1 + digest.length % 999)) > 0) digest_add(&digest, bytes, (size_t)got);
    digest_end(&digest, hex);
    printf("%s\n", hex);
    return 0;
}

static int check_table(int generation) {
    static char text[1 << 20], bytes[4096];
    ssize_t got = read_all(0, text, sizeof text);
    struct writer writer;
    writer_begin(&writer, 1, bytes, sizeof bytes);
    (void)put_perf_table(&writer, generation, text, got > 0 ? (size_t)got : 0);
    return writer_flush(&writer) ? 0 : 1;
}

int main(int count, char **words) {
    if (count == 2 && strcmp(words[1], "json") == 0) return check_json();
    if (count == 2 && strncmp(words[1], "table", 5) == 0) return check_table(words[1][5] - '0');
    return check_digest(count == 2 && strcmp(words[1], "md5") == 0);
}
