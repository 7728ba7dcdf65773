/* The agent for boards without a usable Python: agent protocol 2 (ARCHITECTURE.md, "Board run") in one C source file.
 *
 * Needs libc with libdl and libpthread. Vendor libraries are loaded in a throw-away child only, zlib where the board has it. Nothing here grows
 * with the size of a file: everything is streamed through buffers of a fixed length.
 *
 * In this order: texts and digests; writing and reading JSON; tensor files; what machine this is; fences; the job; the NPU kinds
 * sim, rknn1 and rknn2; the run with its journal; attach; the verbs.
 */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64

#include <ctype.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROTOCOL_VERSION 2
#define EXIT_USAGE 2
#define EXIT_FAILED 70
#define EXIT_STALE_FENCE 75

#define MAX_LINE 65536u                 /* bytes of one message, as boardagent/protocol.py has it */
#define MAX_RESULT (32u * 1024u * 1024u)
#define MAX_HEADER (4u * 1024u * 1024u) /* of an inputs file: some names and shapes */
#define MAX_DEPTH 16
#define MAX_TABLE (8u * 1024u * 1024u)  /* of layer times */
#define MAX_KEYS 1024                   /* of all objects that are open at one moment */
#define MAX_TENSORS 64                  /* inputs or outputs of one graph */
#define MAX_DIMENSIONS 16
#define KEY_SIZE 257                    /* a name of the vendor's API and its NUL */
#define TEXT_SIZE 16384
#define PATH_SIZE 4096
#define NAME_SIZE 101                   /* a plain file name and its NUL */
#define LOG_TAIL 8000
#define MAX_NOTES (256u * 1024u) /* of the processes that a run started, and of those who attached to it */
#define BLOCK_SIZE (256u * 1024u)
#define BEAT_MS 2000

#define PRINTS(text, first) __attribute__((format(printf, text, first)))
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---------------------------------------------------------------- texts, times, small files */

/* Writes into `to` like printf; what does not fit is cut. */
static void say(char *to, size_t size, const char *format, ...) PRINTS(3, 4);

static void say(char *to, size_t size, const char *format, ...) {
    va_list rest;
    va_start(rest, format);
    if (vsnprintf(to, size, format, rest) < 0) to[0] = '\0';
    va_end(rest);
}

/* folder/name into `to` (PATH_SIZE bytes); false, and an empty path, when it is too long. */
static bool join(char *to, const char *folder, const char *name) {
    int length = snprintf(to, PATH_SIZE, "%s/%s", folder, name);
    if (length > 0 && length < PATH_SIZE) return true;
    to[0] = '\0';
    errno = ENAMETOOLONG;
    return false;
}

/* Microseconds that have passed since `start`, with their fractions. */
static double since_us(const struct timespec *start) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start->tv_sec) * 1e6 + (double)(now.tv_nsec - start->tv_nsec) / 1e3;
}

static int64_t clock_us(clockid_t which) {
    struct timespec now;
    if (clock_gettime(which, &now) != 0) return 0;
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t now_ms(void) { return clock_us(CLOCK_MONOTONIC) / 1000; }

static void pause_ms(int ms) { (void)poll(NULL, 0, ms); }

/* All of `bytes`, however often it takes. */
static bool write_all(int fd, const void *bytes, size_t size) {
    const char *next = bytes;
    while (size > 0) {
        ssize_t done = write(fd, next, size);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return false;
        next += done;
        size -= (size_t)done;
    }
    return true;
}

/* Up to `size` bytes; fewer at the end of the file only. -1 when it cannot be read. */
static ssize_t read_all(int fd, void *bytes, size_t size) {
    size_t got = 0;
    while (got < size) {
        ssize_t done = read(fd, (char *)bytes + got, size - got);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return -1;
        if (done == 0) break;
        got += (size_t)done;
    }
    return (ssize_t)got;
}

/* The bytes of the UTF-8 character at `text`, 0 when there is none; `*code` is its number. */
static size_t utf8_length(const char *text, size_t size, uint32_t *code) {
    const unsigned char *byte = (const unsigned char *)text;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length, i;
    if (size == 0) return 0;
    *code = byte[0];
    if (byte[0] < 0x80) return 1;
    if (byte[0] >= 0xC2 && byte[0] < 0xE0) length = 2;
    else if (byte[0] >= 0xE0 && byte[0] < 0xF0) length = 3;
    else if (byte[0] >= 0xF0 && byte[0] < 0xF5) length = 4;
    else return 0;
    if (size < length) return 0;
    *code = byte[0] & (0xFFu >> (length + 1));
    for (i = 1; i < length; i++) {
        if ((byte[i] & 0xC0u) != 0x80) return 0;
        *code = (*code << 6) | (byte[i] & 0x3Fu);
    }
    if (*code < least[length] || *code > 0x10FFFF || (*code >= 0xD800 && *code < 0xE000)) return 0;
    return length;
}

/* The first bytes of a small file, blanks and NULs at both ends removed; false when it cannot be read. */
static bool text_of(const char *path, char *text, size_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read_all(fd, text, size - 1);
    size_t begin = 0, end = got < 0 ? 0 : (size_t)got, i;
    if (fd >= 0) (void)close(fd);
    if (got < 0) {
        text[0] = '\0';
        return false;
    }
    for (i = 0; i < end; i++)
        if (text[i] == '\0') text[i] = ' ';
    while (end > 0 && isspace((unsigned char)text[end - 1])) end--;
    while (begin < end && isspace((unsigned char)text[begin])) begin++;
    memmove(text, text + begin, end - begin);
    text[end - begin] = '\0';
    return true;
}

/* Reads a whole decimal number; false when `text` is anything else. */
static bool whole_number(const char *text, int64_t *number) {
    char *end;
    errno = 0;
    if (!isdigit((unsigned char)text[0]) && text[0] != '-') return false;
    *number = strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == '\0';
}

/* [A-Za-z0-9][A-Za-z0-9._-]{0,99}: a name that stays in its folder. */
static bool is_plain_name(const char *name) {
    size_t length = strlen(name);
    if (length == 0 || length > 100 || !isalnum((unsigned char)name[0])) return false;
    return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == length;
}

/* How something failed: the site's code, a sentence, and the last words of who failed. Empty code: it did not. */
struct failure {
    char code[48];
    char message[2048];
    char detail[LOG_TAIL + 1];
};

static void fail(struct failure *failure, const char *code, const char *format, ...) PRINTS(3, 4);

static void fail(struct failure *failure, const char *code, const char *format, ...) {
    va_list rest;
    if (failure->code[0] != '\0') return; /* the first reason is the one that counts */
    say(failure->code, sizeof failure->code, "%s", code);
    va_start(rest, format);
    if (vsnprintf(failure->message, sizeof failure->message, format, rest) < 0) failure->message[0] = '\0';
    va_end(rest);
}

static bool failed(const struct failure *failure) { return failure->code[0] != '\0'; }

/* The site's code for what a system call reports. */
static void fail_errno(struct failure *failure, int number, const char *what) {
    bool is_full = number == ENOSPC || number == EFBIG || number == EDQUOT;
    fail(failure, is_full ? "board:disk-full" : "board:agent-died", "%.1900s: %s", what, strerror(number));
}

/* ---------------------------------------------------------------- SHA-256 [FIPS 180-4] and MD5 [RFC 1321] */

/* Both work on blocks of 64 bytes with a 64 bit length at the end, one big-endian, one little-endian. */
struct digest {
    bool is_md5;
    uint32_t state[8];
    uint64_t length;
    unsigned char block[64];
};

static const uint32_t SHA256_WORDS[64] = {
    0x428a2f98u, 0x71374491u, 0xb5c0fbcfu, 0xe9b5dba5u, 0x3956c25bu, 0x59f111f1u, 0x923f82a4u, 0xab1c5ed5u,
    0xd807aa98u, 0x12835b01u, 0x243185beu, 0x550c7dc3u, 0x72be5d74u, 0x80deb1feu, 0x9bdc06a7u, 0xc19bf174u,
    0xe49b69c1u, 0xefbe4786u, 0x0fc19dc6u, 0x240ca1ccu, 0x2de92c6fu, 0x4a7484aau, 0x5cb0a9dcu, 0x76f988dau,
    0x983e5152u, 0xa831c66du, 0xb00327c8u, 0xbf597fc7u, 0xc6e00bf3u, 0xd5a79147u, 0x06ca6351u, 0x14292967u,
    0x27b70a85u, 0x2e1b2138u, 0x4d2c6dfcu, 0x53380d13u, 0x650a7354u, 0x766a0abbu, 0x81c2c92eu, 0x92722c85u,
    0xa2bfe8a1u, 0xa81a664bu, 0xc24b8b70u, 0xc76c51a3u, 0xd192e819u, 0xd6990624u, 0xf40e3585u, 0x106aa070u,
    0x19a4c116u, 0x1e376c08u, 0x2748774cu, 0x34b0bcb5u, 0x391c0cb3u, 0x4ed8aa4au, 0x5b9cca4fu, 0x682e6ff3u,
    0x748f82eeu, 0x78a5636fu, 0x84c87814u, 0x8cc70208u, 0x90befffau, 0xa4506cebu, 0xbef9a3f7u, 0xc67178f2u,
};

static const uint32_t MD5_WORDS[64] = {
    0xd76aa478u, 0xe8c7b756u, 0x242070dbu, 0xc1bdceeeu, 0xf57c0fafu, 0x4787c62au, 0xa8304613u, 0xfd469501u,
    0x698098d8u, 0x8b44f7afu, 0xffff5bb1u, 0x895cd7beu, 0x6b901122u, 0xfd987193u, 0xa679438eu, 0x49b40821u,
    0xf61e2562u, 0xc040b340u, 0x265e5a51u, 0xe9b6c7aau, 0xd62f105du, 0x02441453u, 0xd8a1e681u, 0xe7d3fbc8u,
    0x21e1cde6u, 0xc33707d6u, 0xf4d50d87u, 0x455a14edu, 0xa9e3e905u, 0xfcefa3f8u, 0x676f02d9u, 0x8d2a4c8au,
    0xfffa3942u, 0x8771f681u, 0x6d9d6122u, 0xfde5380cu, 0xa4beea44u, 0x4bdecfa9u, 0xf6bb4b60u, 0xbebfbc70u,
    0x289b7ec6u, 0xeaa127fau, 0xd4ef3085u, 0x04881d05u, 0xd9d4d039u, 0xe6db99e5u, 0x1fa27cf8u, 0xc4ac5665u,
    0xf4292244u, 0x432aff97u, 0xab9423a7u, 0xfc93a039u, 0x655b59c3u, 0x8f0ccc92u, 0xffeff47du, 0x85845dd1u,
    0x6fa87e4fu, 0xfe2ce6e0u, 0xa3014314u, 0x4e0811a1u, 0xf7537e82u, 0xbd3af235u, 0x2ad7d2bbu, 0xeb86d391u,
};

static const unsigned char MD5_TURNS[16] = {7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21};

static void digest_begin(struct digest *digest, bool is_md5) {
    static const uint32_t sha256[8] = {0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au,
                                       0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u};
    static const uint32_t md5[8] = {0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u, 0, 0, 0, 0};
    memset(digest, 0, sizeof *digest);
    digest->is_md5 = is_md5;
    memcpy(digest->state, is_md5 ? md5 : sha256, sizeof digest->state);
}

static uint32_t turn_right(uint32_t word, unsigned by) { return (word >> by) | (word << (32 - by)); }

static void sha256_block(uint32_t *state, const unsigned char *block) {
    uint32_t w[64], s[8];
    size_t i;
    for (i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 |
               block[4 * i + 3];
    for (i = 16; i < 64; i++) {
        uint32_t a = turn_right(w[i - 15], 7) ^ turn_right(w[i - 15], 18) ^ (w[i - 15] >> 3);
        uint32_t b = turn_right(w[i - 2], 17) ^ turn_right(w[i - 2], 19) ^ (w[i - 2] >> 10);
        w[i] = w[i - 16] + a + w[i - 7] + b;
    }
    memcpy(s, state, sizeof s);
    for (i = 0; i < 64; i++) {
        uint32_t e = turn_right(s[4], 6) ^ turn_right(s[4], 11) ^ turn_right(s[4], 25);
        uint32_t one = s[7] + e + ((s[4] & s[5]) ^ (~s[4] & s[6])) + SHA256_WORDS[i] + w[i];
        uint32_t a = turn_right(s[0], 2) ^ turn_right(s[0], 13) ^ turn_right(s[0], 22);
        uint32_t two = a + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 7 * sizeof s[0]);
        s[4] += one;
        s[0] = one + two;
    }
    for (i = 0; i < 8; i++) state[i] += s[i];
}

static void md5_block(uint32_t *state, const unsigned char *block) {
    uint32_t w[16], a = state[0], b = state[1], c = state[2], d = state[3];
    size_t i;
    for (i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i + 3] << 24 | (uint32_t)block[4 * i + 2] << 16 | (uint32_t)block[4 * i + 1] << 8 |
               block[4 * i];
    for (i = 0; i < 64; i++) {
        uint32_t mixed, next;
        size_t from;
        switch (i / 16) {
            case 0: mixed = (b & c) | (~b & d); from = i; break;
            case 1: mixed = (d & b) | (~d & c); from = (5 * i + 1) % 16; break;
            case 2: mixed = b ^ c ^ d; from = (3 * i + 5) % 16; break;
            default: mixed = c ^ (b | ~d); from = (7 * i) % 16; break;
        }
        next = b + turn_right(a + mixed + MD5_WORDS[i] + w[from], 32u - MD5_TURNS[i / 16 * 4 + i % 4]);
        a = d;
        d = c;
        c = b;
        b = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
}

static void digest_add(struct digest *digest, const void *bytes, size_t size) {
    const unsigned char *next = bytes;
    while (size > 0) {
        size_t used = (size_t)(digest->length % 64), take = 64 - used < size ? 64 - used : size;
        memcpy(digest->block + used, next, take);
        digest->length += take;
        next += take;
        size -= take;
        if (used + take == 64) (digest->is_md5 ? md5_block : sha256_block)(digest->state, digest->block);
    }
}

/* Ends the digest; `hex` (65 bytes) holds it as lower case digits. */
static void digest_end(struct digest *digest, char *hex) {
    uint64_t bits = digest->length * 8;
    unsigned char tail[8];
    size_t i, words = digest->is_md5 ? 4 : 8;
    digest_add(digest, "\x80", 1);
    while (digest->length % 64 != 56) digest_add(digest, "", 1);
    for (i = 0; i < 8; i++) tail[i] = (unsigned char)(bits >> (digest->is_md5 ? 8 * i : 56 - 8 * i));
    digest_add(digest, tail, 8);
    for (i = 0; i < words; i++) {
        uint32_t word = digest->state[i];
        if (digest->is_md5) word = word >> 24 | (word >> 8 & 0xFF00u) | (word << 8 & 0xFF0000u) | word << 24;
        (void)snprintf(hex + 8 * i, 9, "%08" PRIx32, word);
    }
}

/* ---------------------------------------------------------------- writing JSON */

/* Writes to a file through a buffer, or (fd -1) into the buffer alone. What does not fit or cannot be written breaks it. */
struct writer {
    int fd;
    bool is_broken;
    int error;
    char last; /* the last character that is no blank: tells whether a comma is due */
    size_t used, room;
    char *bytes;
};

static void writer_begin(struct writer *writer, int fd, char *bytes, size_t room) {
    memset(writer, 0, sizeof *writer);
    writer->fd = fd;
    writer->bytes = bytes;
    writer->room = room;
}

static bool writer_flush(struct writer *writer) {
    if (writer->fd >= 0 && !writer->is_broken) {
        if (!write_all(writer->fd, writer->bytes, writer->used)) {
            writer->is_broken = true;
            writer->error = errno;
        }
        writer->used = 0;
    }
    return !writer->is_broken;
}

static void put_bytes(struct writer *writer, const char *bytes, size_t size) {
    if (size > 0) writer->last = bytes[size - 1];
    while (size > 0 && !writer->is_broken) {
        size_t room = writer->room - writer->used, take = room < size ? room : size;
        memcpy(writer->bytes + writer->used, bytes, take);
        writer->used += take;
        bytes += take;
        size -= take;
        if (size > 0 && writer->fd < 0) writer->is_broken = true;
        else if (size > 0) (void)writer_flush(writer);
    }
}

static void put(struct writer *writer, const char *text) { put_bytes(writer, text, strlen(text)); }

/* A comma when one is due. */
static void put_next(struct writer *writer) {
    if (writer->last != '{' && writer->last != '[' && writer->last != ':' && writer->last != '\0') put(writer, ",");
}

/* At most `most` characters of any bytes as JSON text: what is no UTF-8 becomes U+FFFD, NUL a blank. */
static void put_text_n(struct writer *writer, const char *text, size_t size, size_t most) {
    char escaped[8];
    put(writer, "\"");
    while (size > 0 && most-- > 0) {
        uint32_t code = 0;
        size_t length = utf8_length(text, size, &code);
        if (length == 0) put(writer, "\xEF\xBF\xBD");
        else if (code == 0) put(writer, " ");
        else if (code == '"' || code == '\\') put(writer, code == '"' ? "\\\"" : "\\\\");
        else if (code == '\n') put(writer, "\\n");
        else if (code < 0x20) {
            say(escaped, sizeof escaped, "\\u%04x", (unsigned)code);
            put(writer, escaped);
        } else put_bytes(writer, text, length);
        text += length > 0 ? length : 1;
        size -= length > 0 ? length : 1;
    }
    put(writer, "\"");
}

static void put_text(struct writer *writer, const char *text) { put_text_n(writer, text, strlen(text), SIZE_MAX); }

static void put_key(struct writer *writer, const char *key) {
    put_next(writer);
    put_text(writer, key);
    put(writer, ":");
}

static void put_whole(struct writer *writer, int64_t number) {
    char text[32];
    say(text, sizeof text, "%" PRId64, number);
    put(writer, text);
}

/* The shortest of four ways that reads back as the same number; null for what JSON has no word for. */
static void put_number(struct writer *writer, double number) {
    char text[40];
    int digits;
    if (!isfinite(number)) {
        put(writer, "null");
        return;
    }
    for (digits = 6; digits <= 17; digits += digits == 6 ? 9 : 1) {
        say(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) >= number && strtod(text, NULL) <= number) break;
    }
    put(writer, text);
}

static void put_text_member(struct writer *writer, const char *key, const char *text) {
    put_key(writer, key);
    if (text == NULL) put(writer, "null");
    else put_text(writer, text);
}

static void put_whole_member(struct writer *writer, const char *key, int64_t number) {
    put_key(writer, key);
    put_whole(writer, number);
}

static void put_error(struct writer *writer, const struct failure *failure) {
    size_t length = strlen(failure->detail);
    put(writer, "{");
    put_text_member(writer, "code", failure->code);
    put_text_member(writer, "message", failure->message);
    put_key(writer, "detail");
    put_text_n(writer, failure->detail, length, LOG_TAIL);
    put(writer, "}");
}

/* ---------------------------------------------------------------- reading JSON */

enum json_type { JSON_OBJECT, JSON_ARRAY, JSON_TEXT, JSON_NUMBER, JSON_TRUE, JSON_FALSE, JSON_NULL };

/* Reads one JSON object from a file or from memory, byte by byte, and tells `found` of each value. It refuses what
 * boardagent/protocol.py refuses: more than `left` bytes, more than MAX_DEPTH levels, a key given twice, numbers that are not finite,
 * NUL and halves of surrogate pairs, bytes that are no UTF-8.
 *
 * The root is at level 1. A value at level n was reached through key[1] .. key[n - 1]; an element of an array has an
 * empty key there and its place in index[]. */
struct json {
    int fd;
    char buffer[4096];
    const char *bytes;
    size_t at, filled;
    uint64_t left;
    char problem[160];
    char key[MAX_DEPTH + 2][KEY_SIZE];
    bool key_is_cut[MAX_DEPTH + 2];
    int64_t index[MAX_DEPTH + 2];
    char text[TEXT_SIZE];
    size_t text_length;
    bool text_is_cut;
    uint64_t text_hash;
    double number;
    bool is_whole;
    int64_t whole;
    uint64_t seen[MAX_KEYS];
    size_t seen_count;
    void (*found)(struct json *json, int level, enum json_type type);
    struct writer *(*copy_to)(struct json *json, int level); /* asked for each member: where its raw value goes, or NULL */
    struct writer *copy;
    void *context;
};

static void json_problem(struct json *json, const char *format, ...) PRINTS(2, 3);

static void json_problem(struct json *json, const char *format, ...) {
    va_list rest;
    if (json->problem[0] != '\0') return;
    va_start(rest, format);
    if (vsnprintf(json->problem, sizeof json->problem, format, rest) <= 0) say(json->problem, 2, "?");
    va_end(rest);
}

static bool json_is_bad(const struct json *json) { return json->problem[0] != '\0'; }

/* The next byte, not taken yet; -1 at the end or after a problem. */
static int json_peek(struct json *json) {
    if (json_is_bad(json)) return -1;
    if (json->at == json->filled && json->fd >= 0) {
        size_t wanted = json->left < sizeof json->buffer ? (size_t)json->left : sizeof json->buffer;
        ssize_t got = wanted == 0 ? 0 : read_all(json->fd, json->buffer, wanted);
        if (got < 0) json_problem(json, "it cannot be read: %s", strerror(errno));
        json->at = 0;
        json->filled = got > 0 ? (size_t)got : 0;
        json->left -= json->filled;
    }
    return json->at < json->filled ? (unsigned char)json->bytes[json->at] : -1;
}

static int json_take(struct json *json) {
    int byte = json_peek(json);
    if (byte < 0) {
        json_problem(json, "not JSON: it ends in the middle, or is too long");
        return -1;
    }
    if (json->copy != NULL) put_bytes(json->copy, json->bytes + json->at, 1);
    json->at++;
    return byte;
}

static int json_skip_blanks(struct json *json) {
    int byte;
    while ((byte = json_peek(json)) == ' ' || byte == '\t' || byte == '\n' || byte == '\r') (void)json_take(json);
    return byte;
}

static bool json_expect(struct json *json, const char *word) {
    for (; *word != '\0'; word++)
        if (json_take(json) != *word) {
            json_problem(json, "not JSON: %c expected", *word);
            return false;
        }
    return !json_is_bad(json);
}

/* Adds a character to the text under way; all of it is hashed, the first TEXT_SIZE - 1 bytes are kept. */
static void json_keep(struct json *json, uint32_t code) {
    char bytes[4];
    size_t length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4, i;
    static const unsigned char first[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (i = length; i-- > 1; code >>= 6) bytes[i] = (char)(0x80u | (code & 0x3Fu));
    bytes[0] = (char)(first[length] | code);
    for (i = 0; i < length; i++) json->text_hash = (json->text_hash ^ (unsigned char)bytes[i]) * 1099511628211u;
    if (json->text_is_cut || json->text_length + length >= sizeof json->text) {
        json->text_is_cut = true;
        return;
    }
    memcpy(json->text + json->text_length, bytes, length);
    json->text_length += length;
}

static uint32_t json_four_digits(struct json *json) {
    uint32_t code = 0;
    int i;
    for (i = 0; i < 4; i++) {
        int byte = json_take(json);
        if (byte < 0 || !isxdigit(byte)) {
            json_problem(json, "not JSON: \\u without four digits");
            return 0;
        }
        code = code * 16 + (uint32_t)(byte <= '9' ? byte - '0' : (byte | 0x20) - 'a' + 10);
    }
    return code;
}

static void json_escape(struct json *json) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    int byte = json_take(json);
    const char *place;
    uint32_t code;
    if (byte < 0) return;
    if (byte != 'u') {
        place = strchr(from, byte);
        if (place == NULL || byte == 0) json_problem(json, "not JSON: an unknown escape");
        else json_keep(json, (unsigned char)to[place - from]);
        return;
    }
    code = json_four_digits(json);
    if (code >= 0xD800 && code < 0xDC00 && json_peek(json) == '\\') {
        uint32_t low = json_expect(json, "\\u") ? json_four_digits(json) : 0;
        if (low >= 0xDC00 && low < 0xE000) code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    if (code == 0 || (code >= 0xD800 && code < 0xE000)) json_problem(json, "a text holds what no text may");
    else json_keep(json, code);
}

static void json_multibyte(struct json *json, int first) {
    char bytes[4];
    size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2, i;
    uint32_t code = 0;
    bytes[0] = (char)first;
    for (i = 1; i < length; i++) {
        int byte = json_take(json);
        if (byte < 0) return;
        bytes[i] = (char)byte;
    }
    if (utf8_length(bytes, length, &code) == length) json_keep(json, code);
    else json_problem(json, "not JSON: not UTF-8");
}

/* A text into json->text, its opening quote still to be taken. */
static bool json_read_text(struct json *json) {
    json->text_length = 0;
    json->text_is_cut = false;
    json->text_hash = 14695981039346656037u;
    if (!json_expect(json, "\"")) return false;
    while (!json_is_bad(json)) {
        int byte = json_take(json);
        if (byte == '"') break;
        if (byte == '\\') json_escape(json);
        else if (byte >= 0x80) json_multibyte(json, byte);
        else if (byte >= 0x20) json_keep(json, (uint32_t)byte);
        else json_problem(json, "not JSON: a control character in a text");
    }
    json->text[json->text_length] = '\0';
    return !json_is_bad(json);
}

static bool json_digits(struct json *json, char *text, size_t *length, size_t room) {
    size_t begin = *length;
    while (json_peek(json) >= '0' && json_peek(json) <= '9') {
        if (*length >= room) {
            json_problem(json, "a number is too long");
            return false;
        }
        text[(*length)++] = (char)json_take(json);
    }
    if (*length == begin) json_problem(json, "not JSON: a digit expected");
    return !json_is_bad(json);
}

static bool json_read_number(struct json *json) {
    char text[420];
    size_t length = 0, room = sizeof text - 8;
    json->is_whole = true;
    if (json_peek(json) == '-') text[length++] = (char)json_take(json);
    if (json_peek(json) == '0') text[length++] = (char)json_take(json); /* nothing may follow a leading zero */
    else if (!json_digits(json, text, &length, room)) return false;
    if (json_peek(json) == '.') {
        json->is_whole = false;
        text[length++] = (char)json_take(json);
        if (!json_digits(json, text, &length, room)) return false;
    }
    if (json_peek(json) == 'e' || json_peek(json) == 'E') {
        json->is_whole = false;
        text[length++] = (char)json_take(json);
        if (json_peek(json) == '+' || json_peek(json) == '-') text[length++] = (char)json_take(json);
        if (!json_digits(json, text, &length, room)) return false;
    }
    text[length] = '\0';
    json->number = strtod(text, NULL);
    if (!isfinite(json->number)) json_problem(json, "a number is not finite");
    errno = 0;
    json->whole = json->is_whole ? strtoll(text, NULL, 10) : 0;
    if (errno != 0) json->is_whole = false; /* a number beyond 64 bits is no whole one for us */
    return !json_is_bad(json);
}

static void json_value(struct json *json, int level);

static bool json_read_key(struct json *json, int level, size_t first_seen) {
    size_t i;
    if (!json_read_text(json)) return false;
    for (i = first_seen; i < json->seen_count; i++)
        if (json->seen[i] == json->text_hash) json_problem(json, "a key is given twice");
    if (json->seen_count == MAX_KEYS) json_problem(json, "too many keys");
    if (json_is_bad(json)) return false;
    json->seen[json->seen_count++] = json->text_hash;
    json->key_is_cut[level] = json->text_is_cut || json->text_length >= KEY_SIZE;
    say(json->key[level], KEY_SIZE, "%s", json->text);
    (void)json_skip_blanks(json);
    return json_expect(json, ":");
}

static void json_member(struct json *json, int level, size_t first_seen) {
    struct writer *copy = NULL;
    if (!json_read_key(json, level, first_seen)) return;
    (void)json_skip_blanks(json);
    if (json->copy == NULL && json->copy_to != NULL) copy = json->copy_to(json, level);
    if (copy != NULL) json->copy = copy;
    json_value(json, level + 1);
    if (copy != NULL) json->copy = NULL;
}

/* An object or an array, whose opening bracket is next. */
static void json_container(struct json *json, int level, bool is_object) {
    int closing = is_object ? '}' : ']';
    size_t first_seen = json->seen_count;
    int64_t index = 0;
    json->found(json, level, is_object ? JSON_OBJECT : JSON_ARRAY);
    (void)json_take(json);
    if (json_skip_blanks(json) == closing) {
        (void)json_take(json);
        return;
    }
    if (level >= MAX_DEPTH) json_problem(json, "nested deeper than %d levels", MAX_DEPTH);
    while (!json_is_bad(json)) {
        int byte;
        json->index[level] = is_object ? -1 : index++;
        json->key[level][0] = '\0';
        json->key_is_cut[level] = false;
        if (is_object) json_member(json, level, first_seen);
        else json_value(json, level + 1);
        byte = json_skip_blanks(json);
        if (byte != ',' && byte != closing) {
            json_problem(json, "not JSON: , or %c expected", closing);
            return;
        }
        (void)json_take(json);
        if (byte == closing) break;
        (void)json_skip_blanks(json);
    }
    json->seen_count = first_seen;
}

static void json_value(struct json *json, int level) {
    int byte = json_skip_blanks(json);
    enum json_type type;
    if (byte == '{' || byte == '[') {
        json_container(json, level, byte == '{');
        return;
    }
    if (byte == '"') {
        type = JSON_TEXT;
        (void)json_read_text(json);
    } else if (byte == 't' || byte == 'f' || byte == 'n') {
        type = byte == 't' ? JSON_TRUE : byte == 'f' ? JSON_FALSE : JSON_NULL;
        (void)json_expect(json, byte == 't' ? "true" : byte == 'f' ? "false" : "null");
    } else {
        type = JSON_NUMBER;
        (void)json_read_number(json);
    }
    if (!json_is_bad(json)) json->found(json, level, type);
}

/* Reads the whole object; false with json->problem when it is none. `fd` -1: the `limit` bytes at `bytes`. */
static bool json_read(struct json *json, int fd, const char *bytes, uint64_t limit) {
    json->fd = fd;
    json->bytes = fd >= 0 ? json->buffer : bytes;
    json->left = limit;
    json->at = 0;
    json->filled = fd >= 0 ? 0 : (size_t)limit;
    json->problem[0] = '\0';
    json->seen_count = 0;
    json->copy = NULL;
    if (json_skip_blanks(json) != '{') json_problem(json, "not a JSON object");
    json_value(json, 1);
    if (json_skip_blanks(json) >= 0) json_problem(json, "not JSON: something follows the object");
    if (!json_is_bad(json) && fd >= 0 && json->left == 0 && read(fd, json->buffer, 1) == 1)
        json_problem(json, "it is longer than allowed");
    return !json_is_bad(json);
}

/* Whether the value at `level` is member `key` of the root. */
static bool is_member(const struct json *json, int level, const char *key) {
    return level == 2 && strcmp(json->key[1], key) == 0 && !json->key_is_cut[1];
}

/* Whether the value at `level` is member `key` of member `outer` of the root. */
static bool is_inner(const struct json *json, int level, const char *outer, const char *key) {
    return level == 3 && strcmp(json->key[1], outer) == 0 && strcmp(json->key[2], key) == 0;
}

/* ---------------------------------------------------------------- tensor files (safetensors) */

struct tensor {
    char name[KEY_SIZE];
    char dtype[8];
    int dimensions;
    uint64_t shape[MAX_DIMENSIONS];
    uint64_t begin, end; /* relative to the data's start; filled in by the reader */
    int offsets;
};

/* The header of a tensor file that is read: its tensors and where in the file the data starts. */
struct tensors {
    int count;
    uint64_t data;
    struct tensor list[MAX_TENSORS];
};

static const struct {
    const char *name;
    uint64_t bytes;
} DTYPES[] = {{"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"U16", 2}, {"I16", 2}, {"F16", 2}, {"BF16", 2},
              {"U32", 4},  {"I32", 4}, {"F32", 4}, {"U64", 8}, {"I64", 8}, {"F64", 8}};

/* Bytes of a tensor; false for an unknown dtype, or more bytes than a file can have. */
static bool tensor_bytes(const struct tensor *tensor, uint64_t *bytes) {
    size_t i;
    int side;
    for (i = 0; i < COUNT_OF(DTYPES); i++)
        if (strcmp(DTYPES[i].name, tensor->dtype) == 0) break;
    if (i == COUNT_OF(DTYPES)) return false;
    *bytes = DTYPES[i].bytes;
    for (side = 0; side < tensor->dimensions; side++)
        if (__builtin_mul_overflow(*bytes, tensor->shape[side], bytes) || *bytes > INT64_MAX) return false;
    return true;
}

static void header_tensor_begins(struct json *json, struct tensors *tensors) {
    if (json->key_is_cut[1]) json_problem(json, "the name of a tensor is too long");
    else if (tensors->count == MAX_TENSORS) json_problem(json, "more than %d tensors", MAX_TENSORS);
    else {
        struct tensor *tensor = &tensors->list[tensors->count++];
        memset(tensor, 0, sizeof *tensor);
        say(tensor->name, sizeof tensor->name, "%s", json->key[1]);
    }
}

/* Side or offset number index[3] of the tensor under way. */
static void header_number(struct json *json, struct tensor *tensor, enum json_type type) {
    bool is_shape = strcmp(json->key[2], "shape") == 0;
    if (!is_shape && strcmp(json->key[2], "data_offsets") != 0) return;
    if (type != JSON_NUMBER || !json->is_whole || json->whole < 0) json_problem(json, "a shape or offset is no number");
    else if (json->index[3] >= (is_shape ? MAX_DIMENSIONS : 2)) json_problem(json, "too many dimensions or offsets");
    else if (is_shape) tensor->shape[tensor->dimensions++] = (uint64_t)json->whole;
    else if (tensor->offsets++ == 0) tensor->begin = (uint64_t)json->whole;
    else tensor->end = (uint64_t)json->whole;
}

static void header_found(struct json *json, int level, enum json_type type) {
    struct tensors *tensors = json->context;
    if (level < 2 || (strcmp(json->key[1], "__metadata__") == 0 && !json->key_is_cut[1])) return;
    if (level == 2 && type != JSON_OBJECT) json_problem(json, "a tensor is no object");
    else if (level == 2) header_tensor_begins(json, tensors);
    else if (level == 3 && strcmp(json->key[2], "dtype") == 0) {
        if (type != JSON_TEXT || json->text_length > 7) json_problem(json, "a dtype is no name");
        else say(tensors->list[tensors->count - 1].dtype, 8, "%s", json->text);
    } else if (level == 4 && json->index[3] >= 0) header_number(json, &tensors->list[tensors->count - 1], type);
}

/* Reads the header of the open file `fd`; false with the reason in `problem` (160 bytes). */
static bool read_tensors(struct json *json, int fd, struct tensors *tensors, char *problem) {
    unsigned char prefix[8];
    struct stat about;
    uint64_t length = 0, room;
    int i;
    tensors->count = 0;
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode) || read_all(fd, prefix, 8) != 8) {
        say(problem, 160, "it is no tensor file");
        return false;
    }
    for (i = 8; i-- > 0;) length = length << 8 | prefix[i];
    if (length < 2 || length > MAX_HEADER || length > (uint64_t)about.st_size - 8) {
        say(problem, 160, "its header is longer than the file, missing, or over %u bytes", MAX_HEADER);
        return false;
    }
    tensors->data = 8 + length;
    room = (uint64_t)about.st_size - 8 - length;
    json->found = header_found;
    json->copy_to = NULL;
    json->context = tensors;
    if (lseek(fd, 8, SEEK_SET) != 8) json_problem(json, "it cannot be read");
    else {
        /* json_read would call what follows the header too long: the limit is the header's length, exactly */
        json->fd = fd;
        json->bytes = json->buffer;
        json->left = length;
        json->at = json->filled = 0;
        json->problem[0] = '\0';
        json->seen_count = 0;
        json->copy = NULL;
        if (json_skip_blanks(json) != '{') json_problem(json, "not a JSON object");
        json_value(json, 1);
        if (json_skip_blanks(json) >= 0) json_problem(json, "not JSON: something follows the object");
    }
    for (i = 0; i < tensors->count && !json_is_bad(json); i++) {
        const struct tensor *tensor = &tensors->list[i];
        uint64_t bytes;
        if (!tensor_bytes(tensor, &bytes) || tensor->offsets != 2 || tensor->begin > tensor->end ||
            tensor->end - tensor->begin != bytes || tensor->end > room)
            json_problem(json, "tensor %.60s does not lie in the file", tensor->name);
    }
    say(problem, 160, "%s", json->problem);
    return !json_is_bad(json);
}

/* Begins a tensor file at `fd`: everything before the data. Offsets are made here, in the order of the list; `quantization` is
 * more metadata, NULL where there is none. */
static bool write_tensor_header(int fd, const struct tensors *tensors, const char *kind, const char *quantization) {
    char bytes[4096];
    unsigned char prefix[8];
    struct writer writer;
    uint64_t end = 0, size;
    off_t length;
    int i, side;
    if (!write_all(fd, "\0\0\0\0\0\0\0\0", 8)) return false;
    writer_begin(&writer, fd, bytes, sizeof bytes);
    put(&writer, "{\"__metadata__\":{");
    put_text_member(&writer, "layerwise", kind);
    if (quantization != NULL) put_text_member(&writer, "quantization", quantization);
    put(&writer, "}");
    for (i = 0; i < tensors->count; i++) {
        const struct tensor *tensor = &tensors->list[i];
        if (!tensor_bytes(tensor, &size)) return false;
        put_key(&writer, tensor->name);
        put(&writer, "{");
        put_text_member(&writer, "dtype", tensor->dtype);
        put_key(&writer, "shape");
        put(&writer, "[");
        for (side = 0; side < tensor->dimensions; side++) {
            put_next(&writer);
            put_whole(&writer, (int64_t)tensor->shape[side]);
        }
        put(&writer, "]");
        put_key(&writer, "data_offsets");
        put(&writer, "[");
        put_whole(&writer, (int64_t)end);
        put(&writer, ",");
        put_whole(&writer, (int64_t)(end += size));
        put(&writer, "]}");
    }
    put(&writer, "}");
    if (!writer_flush(&writer)) return false;
    length = lseek(fd, 0, SEEK_CUR) - 8;
    while (length % 8 != 0 && write_all(fd, " ", 1)) length++;
    for (i = 0; i < 8; i++) prefix[i] = (unsigned char)((uint64_t)length >> (8 * i));
    return length > 0 && length % 8 == 0 && pwrite(fd, prefix, 8, 0) == 8;
}

/* ---------------------------------------------------------------- what machine this is, and in which state */

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

/* `path` below the root of this machine's files; LAYERWISE_SYSROOT names another one. */
static void at(char *to, const char *path) {
    const char *root = getenv("LAYERWISE_SYSROOT");
    say(to, PATH_SIZE, "%s%s", root == NULL ? "" : root, path);
}

/* What of a path is below that root. */
static const char *below(const char *path) {
    const char *root = getenv("LAYERWISE_SYSROOT");
    return root == NULL || strncmp(path, root, strlen(root)) != 0 ? path : path + strlen(root);
}

static int64_t free_bytes(const char *folder) {
    struct statvfs about;
    if (statvfs(folder, &about) != 0) return 0;
    return (int64_t)about.f_bavail * (int64_t)about.f_frsize;
}

/* A field of /proc/meminfo in KB, -1 when it is not there. */
static int64_t memory_kb(const char *field) {
    char text[4096], path[PATH_SIZE], *line, *rest = NULL;
    size_t length = strlen(field);
    at(path, "/proc/meminfo");
    if (!text_of(path, text, sizeof text)) return -1;
    for (line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        if (strncmp(line, field, length) == 0 && line[length] == ':') return strtoll(line + length + 1, NULL, 10);
    return -1;
}

static void put_file_text(struct writer *writer, const char *key, const char *path) {
    char text[4096], found[PATH_SIZE];
    at(found, path);
    put_text_member(writer, key, text_of(found, text, sizeof text) ? text : NULL);
}

/* The number in a file of sysfs, times `scale`; null when there is none. */
static void put_file_number(struct writer *writer, const char *key, const char *path, int64_t scale) {
    char text[64], found[PATH_SIZE];
    int64_t number;
    at(found, path);
    put_key(writer, key);
    if (text_of(found, text, sizeof text) && whole_number(text, &number) && llabs(number) < INT64_MAX / 10000)
        put_whole(writer, number * scale);
    else put(writer, "null");
}

static void put_known(struct writer *writer, const char *key, int64_t number) {
    put_key(writer, key);
    if (number < 0) put(writer, "null");
    else put_whole(writer, number);
}

/* The first of the blank-separated numbers of a file of /proc. */
static void put_first_number(struct writer *writer, const char *key, const char *path) {
    char text[256], found[PATH_SIZE], *end = text;
    double number = 0;
    at(found, path);
    put_key(writer, key);
    if (text_of(found, text, sizeof text)) number = strtod(text, &end);
    if (end == text) put(writer, "null");
    else put_number(writer, number);
}

/* Where the files of the vendor's stack lie, as boardagent/libraryinfo.py has them: families, not single names. */
static const char *const STACK[] = {
    "/usr/lib/librknn*.so*",     "/usr/lib64/librknn*.so*",   "/usr/lib/libOpenVX*.so*",
    "/usr/lib/libOpenCL*.so*",   "/usr/lib/libGAL*.so*",      "/usr/lib/libVSC*.so*",
    "/usr/lib/libCLC*.so*",      "/usr/lib/libArchModelSw*.so*", "/usr/lib/libNN*.so*",
    "/usr/lib/libOvx*.so*",      "/usr/lib/libneuralnetworks*.so*", "/usr/lib/npu/rknn/plugins/*.so*",
    "/usr/lib/npu/rknn/memory_profile", "/usr/bin/rknn_server", "/usr/bin/query_npu_usage",
    "/usr/lib32/librknn*.so*",   "/usr/lib/*-linux-gnu*/librknn*.so*", "/usr/local/lib/librknn*.so*",
    "/oem/usr/lib/librknn*.so*", "/vendor/lib*/librknn*.so*",
};

#define MOST_STACK 60
#define LONGEST_BUILD 160

struct stack_file {
    char path[256], md5[65], build[LONGEST_BUILD];
    bool is_read;
};

static bool is_file(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && S_ISREG(about.st_mode);
}

/* The files that any of `patterns` names below the machine's root, sorted; `found` is to be freed by globfree. */
static size_t find_files(const char *const *patterns, size_t count, glob_t *found) {
    char pattern[PATH_SIZE];
    size_t i;
    memset(found, 0, sizeof *found);
    for (i = 0; i < count; i++) {
        at(pattern, patterns[i]);
        (void)glob(pattern, i == 0 ? 0 : GLOB_APPEND, NULL, found);
    }
    return found->gl_pathc;
}

/* Looks in `size` bytes for "1.7.5 (ccb93f1 build: ...)" or "librknnrt version: ..."; what a library says of itself. */
static bool find_build(const char *bytes, size_t size, char *build) {
    static const char marks[2][24] = {" build: ", "librknnrt version: "};
    int which;
    for (which = 0; which < 2; which++) {
        const char *mark = memmem(bytes, size, marks[which], strlen(marks[which])), *begin = mark, *end = mark;
        if (mark == NULL) continue;
        while (which == 0 && begin > bytes && begin[-1] >= ' ' && begin[-1] <= '~' && mark - begin < 60) begin--;
        while (which == 0 && begin < mark && !isdigit((unsigned char)*begin)) begin++;
        while (end < bytes + size && *end >= ' ' && *end <= '~' && end - begin < LONGEST_BUILD - 1) {
            if (which == 0 && *end++ == ')') break;
            else if (which == 1) end++;
        }
        if (begin == end || (which == 0 && (begin == mark || end[-1] != ')'))) continue;
        say(build, LONGEST_BUILD, "%.*s", (int)(end - begin), begin);
        return true;
    }
    return false;
}

/* md5 and build string of a file, in one pass and in blocks. */
static void read_stack_file(const char *path, struct stack_file *file) {
    static char bytes[200 + 65536];
    struct digest digest;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t kept = 0;
    ssize_t got = -1;
    digest_begin(&digest, true);
    while (fd >= 0 && (got = read_all(fd, bytes + kept, 65536)) > 0) {
        size_t size = kept + (size_t)got;
        digest_add(&digest, bytes + kept, (size_t)got);
        if (file->build[0] == '\0') (void)find_build(bytes, size, file->build);
        kept = size < 200 ? size : 200;
        memmove(bytes, bytes + size - kept, kept);
    }
    if (fd >= 0) (void)close(fd);
    file->is_read = got == 0;
    digest_end(&digest, file->md5);
}

/* The vendor's files here, read once: the second fingerprint of a run need not read 87 MB again. */
static size_t stack_files(const struct stack_file **files) {
    static struct stack_file known[MOST_STACK];
    static size_t count;
    static bool is_done;
    glob_t found;
    size_t i, all = is_done ? 0 : find_files(STACK, COUNT_OF(STACK), &found);
    for (i = 0; i < all && count < MOST_STACK; i++) {
        struct stack_file *file = &known[count];
        if (!is_file(found.gl_pathv[i]) || strlen(found.gl_pathv[i]) >= sizeof file->path) continue;
        memset(file, 0, sizeof *file);
        say(file->path, sizeof file->path, "%s", below(found.gl_pathv[i]));
        read_stack_file(found.gl_pathv[i], file);
        count++;
    }
    if (!is_done) globfree(&found);
    is_done = true;
    *files = known;
    return count;
}

/* The md5s of the vendor's files: together they name the stack, a version number does not. And what they say of themselves. */
static void put_stack(struct writer *writer) {
    const struct stack_file *files;
    size_t count = stack_files(&files), i;
    put_key(writer, "libraries");
    put(writer, "{");
    for (i = 0; i < count; i++) put_text_member(writer, files[i].path, files[i].is_read ? files[i].md5 : NULL);
    put(writer, "}");
    put_key(writer, "builds");
    put(writer, "{");
    for (i = 0; i < count; i++)
        if (files[i].build[0] != '\0') put_text_member(writer, files[i].path, files[i].build);
    put(writer, "}");
}

/* The last line of the kernel's log that tells the driver's version; reads at most 4 MB, null where none may be read. */
static void put_driver_line(struct writer *writer) {
    static const char *const sources[] = {"/dev/kmsg", "/var/log/dmesg", "/var/log/kern.log", "/var/log/messages"};
    static const char *const words[] = {"galcore version", "rknpu version", "initialized rknpu"};
    static char record[8193];
    char path[PATH_SIZE], found[301] = "";
    size_t source, word;
    for (source = 0; source < COUNT_OF(sources) && found[0] == '\0'; source++) {
        int fd, reads;
        ssize_t got;
        at(path, sources[source]);
        fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        for (reads = 0; fd >= 0 && reads < 40000; reads++) {
            char *line, *save = NULL;
            got = read(fd, record, sizeof record - 1); /* /dev/kmsg gives one record a read, EPIPE where some were lost */
            if (got < 0 && errno == EPIPE) continue;
            if (got <= 0) break;
            record[got] = '\0';
            for (line = strtok_r(record, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save))
                for (word = 0; word < COUNT_OF(words); word++)
                    if (strcasestr(line, words[word]) != NULL) {
                        const char *text = isdigit((unsigned char)line[0]) && strchr(line, ';') != NULL ? strchr(line, ';') + 1 : line;
                        say(found, sizeof found, "%s", text);
                    }
        }
        if (fd >= 0) (void)close(fd);
    }
    put_text_member(writer, "driver_line", found[0] == '\0' ? NULL : found);
}

static void put_driver(struct writer *writer) {
    char text[256], path[PATH_SIZE];
    at(path, "/sys/module/galcore/version");
    if (!text_of(path, text, sizeof text) || text[0] == '\0') {
        at(path, "/sys/module/rknpu/version");
        if (!text_of(path, text, sizeof text)) text[0] = '\0';
    }
    put_text_member(writer, "driver", text[0] == '\0' ? NULL : text);
}

/* Each thermal zone's name and thousandths of a degree Celsius. */
static void put_temperatures(struct writer *writer) {
    static const char *const zones[] = {"/sys/class/thermal/thermal_zone[0-9]", "/sys/class/thermal/thermal_zone[0-9][0-9]"};
    glob_t found;
    size_t count = find_files(zones, COUNT_OF(zones), &found), i;
    char path[PATH_SIZE + 8], type[64];
    put_file_number(writer, "temperature_mc", "/sys/class/thermal/thermal_zone0/temp", 1);
    put_key(writer, "temperatures_mc");
    put(writer, "[");
    for (i = 0; i < count && i < 32; i++) {
        const char *zone = below(found.gl_pathv[i]);
        say(path, sizeof path, "%s/type", found.gl_pathv[i]);
        put_next(writer);
        put(writer, "{");
        put_text_member(writer, "zone", text_of(path, type, sizeof type) && type[0] != '\0' ? type : strrchr(zone, '/') + 1);
        say(path, sizeof path, "%s/temp", zone);
        put_file_number(writer, "temperature_mc", path, 1);
        put(writer, "}");
    }
    put(writer, "]");
    globfree(&found);
}

/* ---------------------------------------------------------------- clocks: what they are, and holding them at their highest
 *
 * What was there is noted in the work folder before anything is changed, and put back at the end or by the next `clean`:
 * the same notes as boardagent/clocks.py makes. */

#define CPU_FREQ "/sys/devices/system/cpu/cpu0/cpufreq"
#define CLOCK_NOTES "clocks.json"
#define MOST_CHANGES 64

/* The first folder that `pattern` names, or the pattern. */
static void first_folder(const char *pattern, char *folder) {
    glob_t found;
    say(folder, PATH_SIZE, "%s", pattern);
    if (find_files(&pattern, 1, &found) > 0) say(folder, PATH_SIZE, "%s", below(found.gl_pathv[0]));
    globfree(&found);
}

static void put_in(struct writer *writer, const char *key, const char *folder, const char *name, int64_t scale) {
    char path[PATH_SIZE];
    (void)join(path, folder, name);
    if (scale == 0) put_file_text(writer, key, path);
    else put_file_number(writer, key, path, scale);
}

/* The rows of debugfs's clk_summary that the vendor reads back; the columns before the rate are counts, two or three. */
static void put_clock_summary(struct writer *writer) {
    static const char *const rows[] = {"clk_npu_np5", "armclk", "arm", "dpll"};
    char path[PATH_SIZE], line[1024], *save, *word, *name;
    int number, counts = 0, line_number;
    size_t row;
    FILE *file;
    at(path, "/sys/kernel/debug/clk/clk_summary");
    put_key(writer, "summary");
    file = fopen(path, "re");
    put(writer, file == NULL ? "null" : "{");
    for (line_number = 0; file != NULL && line_number < 20000 && fgets(line, sizeof line, file) != NULL; line_number++) {
        int heading = 0;
        int64_t hz;
        save = NULL;
        name = strtok_r(line, " \t\n", &save);
        for (word = name; line_number < 4 && word != NULL; word = strtok_r(NULL, " \t\n", &save)) heading += strcmp(word, "count") == 0;
        if (heading > counts) counts = heading;
        for (row = 0; name != NULL && row < COUNT_OF(rows) && line_number >= 1; row++) {
            if (strcmp(name, rows[row]) != 0) continue;
            for (number = 0, word = name; word != NULL && number < counts + 1; number++) word = strtok_r(NULL, " \t\n", &save);
            if (word != NULL && whole_number(word, &hz)) put_whole_member(writer, name, hz);
        }
    }
    if (file != NULL) {
        (void)fclose(file);
        put(writer, "}");
    }
}

static void put_clocks(struct writer *writer) {
    char npu[PATH_SIZE], ddr[PATH_SIZE];
    first_folder("/sys/class/devfreq/*.npu", npu);
    first_folder("/sys/class/devfreq/dmc", ddr);
    put_key(writer, "clocks");
    put(writer, "{");
    put_in(writer, "npu_hz", npu, "cur_freq", 1);
    put_in(writer, "npu_max_hz", npu, "max_freq", 1);
    put_in(writer, "npu_governor", npu, "governor", 0);
    put_file_number(writer, "cpu_hz", CPU_FREQ "/scaling_cur_freq", 1000);
    put_file_number(writer, "cpu_max_hz", CPU_FREQ "/scaling_max_freq", 1000);
    put_file_text(writer, "cpu_governor", CPU_FREQ "/scaling_governor");
    put_in(writer, "ddr_hz", ddr, "cur_freq", 1);
    put_in(writer, "ddr_governor", ddr, "governor", 0);
    put_clock_summary(writer);
    put(writer, "}");
}

struct change {
    char path[256], value[64], before[64];
    bool has_before;
};

struct changes {
    size_t count;
    char boot_id[64];
    struct change list[MOST_CHANGES];
};

static bool set_clock(const char *path, const char *value) {
    char now[64];
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    bool is_set = fd >= 0 && write_all(fd, value, strlen(value));
    if (fd >= 0 && close(fd) != 0) is_set = false;
    return is_set && text_of(path, now, sizeof now) && strcmp(now, value) == 0;
}

static void add_change(struct changes *changes, const char *folder, const char *name, const char *value, const char *before) {
    struct change *change = &changes->list[changes->count];
    char path[PATH_SIZE];
    if (changes->count == MOST_CHANGES || !join(path, folder, name) || strlen(path) >= sizeof change->path) return;
    changes->count++;
    say(change->path, sizeof change->path, "%s", path);
    say(change->value, sizeof change->value, "%s", value);
    say(change->before, sizeof change->before, "%s", before == NULL ? "" : before);
    change->has_before = before != NULL;
}

static bool has_word(const char *text, const char *word) {
    const char *place = strstr(text, word);
    size_t length = strlen(word);
    for (; place != NULL; place = strstr(place + 1, word))
        if ((place == text || place[-1] == ' ') && (place[length] == '\0' || place[length] == ' ')) return true;
    return false;
}

/* What has to be written in one folder; `names`: governor, available governors, speed, and where the highest speed stands. */
static void changes_of(struct changes *changes, const char *folder, const char *const names[5]) {
    char path[PATH_SIZE], before[64] = "", known[512] = "", highest[64] = "", speed[64];
    int i;
    if (!join(path, folder, names[0]) || !text_of(path, before, sizeof before) || before[0] == '\0') return;
    if (join(path, folder, names[1])) (void)text_of(path, known, sizeof known);
    for (i = 3; i < 5 && highest[0] == '\0'; i++)
        if (!join(path, folder, names[i]) || !text_of(path, highest, sizeof highest)) highest[0] = '\0';
    if (has_word(known, "userspace") && highest[0] != '\0') {
        bool was_set = strcmp(before, "userspace") == 0 && join(path, folder, names[2]) && text_of(path, speed, sizeof speed);
        add_change(changes, folder, names[0], "userspace", before);
        add_change(changes, folder, names[2], highest, was_set ? speed : NULL);
    } else if (has_word(known, "performance")) add_change(changes, folder, names[0], "performance", before);
}

static void find_changes(struct changes *changes) {
    static const char *const devfreq[] = {"/sys/class/devfreq/*.npu", "/sys/class/devfreq/dmc"};
    static const char *const cpufreq[] = {"/sys/devices/system/cpu/cpufreq/policy*", CPU_FREQ};
    static const char *const names[2][5] = {
        {"governor", "available_governors", "userspace/set_freq", "max_freq", "max_freq"},
        {"scaling_governor", "scaling_available_governors", "scaling_setspeed", "cpuinfo_max_freq", "scaling_max_freq"}};
    char folder[PATH_SIZE];
    glob_t found;
    size_t i, k, all = find_files(devfreq, COUNT_OF(devfreq), &found);
    for (i = 0; i < all; i++) changes_of(changes, found.gl_pathv[i], names[0]);
    globfree(&found);
    all = find_files(cpufreq, COUNT_OF(cpufreq), &found);
    for (i = 0; i < all; i++) {
        bool is_new = realpath(found.gl_pathv[i], folder) != NULL;
        for (k = 0; k < changes->count && is_new; k++) is_new = strncmp(changes->list[k].path, folder, strlen(folder)) != 0;
        if (is_new) changes_of(changes, folder, names[1]);
    }
    globfree(&found);
}

static void noted_found(struct json *json, int level, enum json_type type) {
    struct changes *changes = json->context;
    struct change *change;
    if (type != JSON_TEXT) return;
    if (is_member(json, level, "boot_id")) say(changes->boot_id, sizeof changes->boot_id, "%s", json->text);
    if (level != 4 || strcmp(json->key[1], "before") != 0 || json->index[2] < 0 || json->index[2] >= MOST_CHANGES) return;
    change = &changes->list[json->index[2]];
    if (changes->count <= (size_t)json->index[2]) changes->count = (size_t)json->index[2] + 1;
    if (json->index[3] == 0) say(change->path, sizeof change->path, "%s", json->text);
    if (json->index[3] == 1) {
        say(change->before, sizeof change->before, "%s", json->text);
        change->has_before = true;
    }
}

/* Puts back what a run of this boot noted; a machine that started anew has its own clocks again. */
static void restore_clocks(const char *root) {
    static struct json json;
    static struct changes changes;
    char path[PATH_SIZE], allowed[PATH_SIZE], boot[64] = "";
    size_t i;
    int fd = join(path, root, CLOCK_NOTES) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return;
    memset(&changes, 0, sizeof changes);
    json.found = noted_found;
    json.copy_to = NULL;
    json.context = &changes;
    (void)text_of(BOOT_ID, boot, sizeof boot);
    at(allowed, "/sys/");
    if (json_read(&json, fd, NULL, MAX_LINE) && strcmp(changes.boot_id, boot) == 0)
        for (i = 0; i < changes.count; i++)
            if (changes.list[i].has_before && strncmp(changes.list[i].path, allowed, strlen(allowed)) == 0 &&
                strstr(changes.list[i].path, "..") == NULL)
                (void)set_clock(changes.list[i].path, changes.list[i].before);
    (void)close(fd);
    (void)unlink(path);
}

/* Notes on the disk what is there, before the first change. */
static bool note_clocks(const char *root, const struct changes *changes) {
    static char bytes[MAX_LINE];
    struct writer writer;
    char path[PATH_SIZE], part[PATH_SIZE], boot[64];
    size_t i;
    int fd;
    bool is_done;
    writer_begin(&writer, -1, bytes, sizeof bytes);
    put(&writer, "{");
    put_text_member(&writer, "boot_id", text_of(BOOT_ID, boot, sizeof boot) ? boot : NULL);
    put_key(&writer, "before");
    put(&writer, "[");
    for (i = 0; i < changes->count; i++) {
        if (!changes->list[i].has_before) continue;
        put_next(&writer);
        put(&writer, "[");
        put_text(&writer, changes->list[i].path);
        put_next(&writer);
        put_text(&writer, changes->list[i].before);
        put(&writer, "]");
    }
    put(&writer, "]}");
    if (writer.is_broken || !join(path, root, CLOCK_NOTES) || !join(part, root, CLOCK_NOTES ".part")) return false;
    fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    is_done = fd >= 0 && write_all(fd, bytes, writer.used) && fsync(fd) == 0;
    if (fd >= 0) (void)close(fd);
    return is_done && rename(part, path) == 0;
}

/* Holds the clocks at their highest and says how that went, as members for the fingerprint; `wanted` false: they are left. */
static void fix_clocks(const char *root, bool wanted, struct writer *about) {
    static struct changes changes;
    bool is_refused[MOST_CHANGES] = {false};
    size_t i, refused = 0;
    restore_clocks(root);
    memset(&changes, 0, sizeof changes);
    if (wanted) find_changes(&changes);
    if (wanted && !note_clocks(root, &changes)) changes.count = 0;
    for (i = 0; i < changes.count; i++) refused += is_refused[i] = !set_clock(changes.list[i].path, changes.list[i].value);
    put_key(about, "clocks_fixed");
    put(about, changes.count > 0 && refused == 0 ? "true" : "false");
    put_key(about, "clocks_refused");
    put(about, "[");
    for (i = 0; i < changes.count; i++)
        if (is_refused[i]) {
            put_next(about);
            put_text(about, below(changes.list[i].path));
        }
    put(about, "]");
}

/* ---------------------------------------------------------------- the fingerprint */

/* The members of a fingerprint, as boardagent/sysinfo.py has them; what a board lacks is null. */
static void put_fingerprint(struct writer *writer, const char *folder) {
    struct utsname names;
    uint16_t order = 1;
    char first;
    memcpy(&first, &order, 1);
    if (uname(&names) != 0) memset(&names, 0, sizeof names);
    put_text_member(writer, "kernel", names.release);
    put_text_member(writer, "machine", names.machine);
    put_text_member(writer, "python", NULL);
    put_text_member(writer, "agent", "c");
    put_file_text(writer, "board", "/proc/device-tree/model");
    put_file_text(writer, "compatible", "/proc/device-tree/compatible");
    put_driver(writer);
    put_driver_line(writer);
    put_stack(writer);
    put_clocks(writer);
    put_temperatures(writer);
    put_first_number(writer, "load", "/proc/loadavg");
    put_known(writer, "mem_total_kb", memory_kb("MemTotal"));
    put_known(writer, "mem_available_kb", memory_kb("MemAvailable"));
    put_whole_member(writer, "disk_free_bytes", free_bytes(folder));
    put_first_number(writer, "uptime_s", "/proc/uptime");
    put_file_text(writer, "boot_id", BOOT_ID);
    put_whole_member(writer, "unix_time", clock_us(CLOCK_REALTIME) / 1000000);
    put_text_member(writer, "byteorder", first == 1 ? "little" : "big");
}

/* ---------------------------------------------------------------- zlib, where the board has it */

typedef int (*zlib_compress)(unsigned char *to, unsigned long *to_size, const unsigned char *from, unsigned long size, int level);

/* zlib's compress2, or NULL. The declaration is zlib's public one; its uLong is an unsigned long on every Linux. */
static zlib_compress load_zlib(void) {
    void *library = dlopen("libz.so.1", RTLD_NOW | RTLD_LOCAL);
    void *symbol = library == NULL ? NULL : dlsym(library, "compress2");
    zlib_compress function = NULL;
    memcpy(&function, &symbol, sizeof function);
    return function;
}

/* ---------------------------------------------------------------- fences: see boardagent/fences.py, which shares the work folder */

struct run_folder {
    int64_t fence;
    char name[32];
};

/* The newest fence seen here, 0 when there was none. */
static int64_t newest_fence(const char *root) {
    char path[PATH_SIZE], text[33];
    int64_t fence;
    if (!join(path, root, "fence") || !text_of(path, text, sizeof text) || !whole_number(text, &fence)) return 0;
    return fence;
}

/* Takes the lock `name` of the work folder; the descriptor holds it, -1 when it cannot be had in `patience_ms`. */
static int lock_file(const char *folder, const char *name, int kind, int64_t patience_ms) {
    char path[PATH_SIZE];
    int64_t until = now_ms() + patience_ms;
    int fd = join(path, folder, name) ? open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    while (fd >= 0 && flock(fd, kind | LOCK_NB) != 0) {
        if (now_ms() >= until || (errno != EWOULDBLOCK && errno != EINTR)) {
            int reason = errno;
            (void)close(fd);
            errno = reason;
            return -1;
        }
        pause_ms(20);
    }
    return fd;
}

static bool write_small(const char *folder, const char *name, const char *text) {
    char path[PATH_SIZE];
    int fd = join(path, folder, name) ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    bool is_done = fd >= 0 && write_all(fd, text, strlen(text));
    if (fd >= 0 && close(fd) != 0) is_done = false;
    return is_done;
}

/* Remembers `fence` as the newest: 0, or EXIT_STALE_FENCE when a newer one is known, or EXIT_FAILED. */
static int advance_fence(const char *root, int64_t fence) {
    char text[32], part[PATH_SIZE], path[PATH_SIZE];
    int lock = lock_file(root, "fence.lock", LOCK_EX, 10000), status = EXIT_FAILED;
    if (lock < 0) return EXIT_FAILED;
    say(text, sizeof text, "%" PRId64, fence);
    if (fence < newest_fence(root)) status = EXIT_STALE_FENCE;
    else if (write_small(root, "fence.part", text) && join(part, root, "fence.part") && join(path, root, "fence") &&
             rename(part, path) == 0)
        status = 0;
    (void)close(lock);
    return status;
}

static int by_fence(const void *a, const void *b) {
    const struct run_folder *one = a, *other = b;
    return (one->fence > other->fence) - (one->fence < other->fence);
}

/* The run folders whose fence is at most `up_to`, oldest first; their count. `*runs` is to be freed. */
static size_t list_runs(const char *root, int64_t up_to, struct run_folder **runs) {
    DIR *folder = opendir(root);
    struct dirent *entry;
    size_t count = 0, room = 0;
    *runs = NULL;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        const char *digits = entry->d_name + 4;
        size_t length = strlen(entry->d_name);
        int64_t fence;
        if (strncmp(entry->d_name, "run-", 4) != 0 || length < 5 || length > 22) continue;
        if (strspn(digits, "0123456789") != length - 4 || !whole_number(digits, &fence) || fence > up_to) continue;
        if (count == room) {
            struct run_folder *more = realloc(*runs, (room = room * 2 + 16) * sizeof **runs);
            if (more == NULL) break;
            *runs = more;
        }
        (*runs)[count].fence = fence;
        say((*runs)[count++].name, sizeof(*runs)->name, "%s", entry->d_name);
    }
    if (folder != NULL) (void)closedir(folder);
    if (count > 1) qsort(*runs, count, sizeof **runs, by_fence);
    return count;
}

/* What /proc/<pid>/stat says: session and start time in ticks since boot; false when the process is gone or a zombie. */
static bool process_stat(pid_t pid, long *session, char *started, size_t size) {
    char path[64], text[1024], *rest, *field, *save = NULL;
    int number;
    say(path, sizeof path, "/proc/%ld/stat", (long)pid);
    if (!text_of(path, text, sizeof text) || (rest = strrchr(text, ')')) == NULL) return false;
    field = strtok_r(rest + 1, " ", &save);
    for (number = 0; field != NULL; number++, field = strtok_r(NULL, " ", &save)) {
        if (number == 0 && field[0] == 'Z') return false;
        if (number == 3) *session = strtol(field, NULL, 10);
        if (number == 19) {
            say(started, size, "%s", field);
            return true;
        }
    }
    return false;
}

/* Notes that the run in `folder` started `pid`: "pid start-time boot-id". */
static bool record_process(const char *folder, pid_t pid) {
    char path[PATH_SIZE], line[256], boot[64], started[32];
    long session;
    int fd;
    bool is_done;
    if (!text_of(BOOT_ID, boot, sizeof boot)) say(boot, sizeof boot, "None");
    if (!process_stat(pid, &session, started, sizeof started)) say(started, sizeof started, "None");
    say(line, sizeof line, "%ld %s %s\n", (long)pid, started, boot);
    fd = join(path, folder, "pids") ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    is_done = fd >= 0 && write_all(fd, line, strlen(line));
    if (fd >= 0) (void)close(fd);
    return is_done;
}

/* The processes that were ended, for the answer of `clean`. */
struct ended {
    size_t count;
    long pids[100];
};

static void kill_one(pid_t pid, struct ended *ended) {
    if (pid == getpid() || pid <= 1 || kill(pid, SIGKILL) != 0) return;
    if (ended->count < COUNT_OF(ended->pids)) ended->pids[ended->count++] = (long)pid;
}

/* Kills what is left of a noted process and its session; how many there were. A session outlives its leader and keeps its
 * number taken. */
static int kill_members(pid_t pid, const char *started, struct ended *ended) {
    char now[32];
    long session;
    DIR *processes;
    struct dirent *entry;
    int found = 0;
    bool lives = process_stat(pid, &session, now, sizeof now);
    if (lives && strcmp(now, started) != 0) return 0; /* the number belongs to somebody else by now */
    processes = opendir("/proc");
    while (processes != NULL && (entry = readdir(processes)) != NULL) {
        int64_t number;
        if (!whole_number(entry->d_name, &number) || number <= 1 || number > INT_MAX || number == getpid()) continue;
        if (!process_stat((pid_t)number, &session, now, sizeof now)) continue;
        if (session != (long)pid && number != pid) continue;
        found++;
        kill_one((pid_t)number, ended);
    }
    if (processes != NULL) (void)closedir(processes);
    return found;
}

/* One note of `pids`: ends it when it is of this boot; how many processes were found. */
static int end_noted(char *line, const char *boot, struct ended *ended) {
    char *save = NULL, *pid = strtok_r(line, " ", &save), *started = strtok_r(NULL, " ", &save);
    char *noted = strtok_r(NULL, " ", &save);
    int64_t number;
    if (noted == NULL || strtok_r(NULL, " ", &save) != NULL || strcmp(noted, boot) != 0) return 0;
    if (!whole_number(pid, &number) || number <= 1 || number > INT_MAX) return 0;
    return kill_members((pid_t)number, started, ended);
}

/* Ends what the run in `folder` noted, children before the agent that started them; how many processes were found. */
static int end_run(const char *folder, struct ended *ended) {
    char path[PATH_SIZE], boot[64], *notes = malloc(MAX_NOTES), *line;
    int found = 0;
    if (!text_of(BOOT_ID, boot, sizeof boot)) say(boot, sizeof boot, "None");
    if (notes != NULL && join(path, folder, "pids") && text_of(path, notes, MAX_NOTES)) {
        while ((line = strrchr(notes, '\n')) != NULL) {
            *line = '\0';
            found += end_noted(line + 1, boot, ended);
        }
        found += end_noted(notes, boot, ended);
    }
    free(notes);
    return found;
}

/* Kills what runs with a fence of at most `up_to` still have running, and waits up to five seconds until it is gone. */
static void end_leftovers(const char *root, int64_t up_to, struct ended *ended) {
    struct run_folder *runs;
    size_t count = list_runs(root, up_to, &runs), i;
    int64_t until = now_ms() + 5000;
    char folder[PATH_SIZE];
    struct ended again;
    memset(ended, 0, sizeof *ended);
    for (i = 0; i < count; i++) {
        if (!join(folder, root, runs[i].name)) continue;
        (void)end_run(folder, ended);
        memset(&again, 0, sizeof again);
        while (now_ms() < until && end_run(folder, &again) > 0) pause_ms(10);
    }
    free(runs);
    restore_clocks(root); /* what such a run held is let go */
}

/* Deletes what is in the folder `name` of `parent`, and it; links are not followed. */
static void remove_tree(int parent, const char *name, int depth) {
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    if (folder == NULL && fd >= 0) (void)close(fd);
    while (folder != NULL && depth < 32 && (entry = readdir(folder)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (unlinkat(dirfd(folder), entry->d_name, 0) != 0) remove_tree(dirfd(folder), entry->d_name, depth + 1);
    }
    if (folder != NULL) (void)closedir(folder);
    (void)unlinkat(parent, name, AT_REMOVEDIR);
}

/* ---------------------------------------------------------------- the job */

enum mode { PLAIN, TIMED, DUMP, SEQUENCE, MODES };

static const char *const MODE_NAMES[MODES] = {"plain", "timed", "dump", "sequence"};

/* How an input goes in, or an output comes; -1 where the job leaves it to the file and the graph. */
struct choice {
    char name[KEY_SIZE];
    int layout; /* 0 NCHW, 1 NHWC, as the vendor numbers them */
    int type;   /* place in RKNN_TYPES */
    bool pass_through;
    bool as_it_is; /* an output as the NPU left it, no float */
};

/* rknn_tensor_type of both generations; the 1.7 header ends with INT16 [API 3.2.3]. */
static const struct {
    const char *dtype, *wish;
    uint32_t bytes;
} RKNN_TYPES[] = {{"F32", "f32", 4}, {"F16", "f16", 2}, {"I8", "i8", 1},   {"U8", "u8", 1},   {"I16", "i16", 2},
                  {"U16", "u16", 2}, {"I32", "i32", 4}, {"U32", "u32", 4}, {"I64", "i64", 8}, {"BOOL", "bool", 1}};

#define TYPES_OF_1 5

struct job {
    int64_t schema, fence, warmup, iterations, disk_bytes, repeats, reloads;
    double deadline_s, orphan_s, hang_s; /* hang_s: 0 when the job does not say it */
    char run[200], kind[8], npu[20], artifact[NAME_SIZE], inputs[NAME_SIZE], second[NAME_SIZE]; /* second: "" where the job names none */
    bool fix_clocks, has_modes;
    int mode_count;
    enum mode modes[MODES];
    int choice_count;
    struct choice choices[2 * MAX_TENSORS];
};

static const struct {
    const char *key;
    size_t place;
    int64_t least, most;
} JOB_WHOLES[] = {
    {"schema", offsetof(struct job, schema), 0, 1000},
    {"fence", offsetof(struct job, fence), 0, 1000000000000000000},
    {"warmup", offsetof(struct job, warmup), 0, 100000},
    {"iterations", offsetof(struct job, iterations), 1, 100000},
    {"disk_bytes", offsetof(struct job, disk_bytes), 0, INT64_MAX},
};

static const struct {
    const char *key;
    size_t place, size;
} JOB_TEXTS[] = {
    {"run", offsetof(struct job, run), sizeof((struct job *)0)->run},
    {"kind", offsetof(struct job, kind), sizeof((struct job *)0)->kind},
    {"npu", offsetof(struct job, npu), sizeof((struct job *)0)->npu},
    {"artifact", offsetof(struct job, artifact), NAME_SIZE},
    {"inputs", offsetof(struct job, inputs), NAME_SIZE},
};

static void job_whole(struct json *json, int64_t *to, int64_t least, int64_t most, enum json_type type) {
    if (type == JSON_NULL) return; /* left to the agent */
    if (type != JSON_NUMBER || !json->is_whole || json->whole < least || json->whole > most)
        json_problem(json, "%.30s is not a whole number from %" PRId64 " to %" PRId64, json->key[1], least, most);
    else *to = json->whole;
}

static void job_seconds(struct json *json, double *to, enum json_type type) {
    if (type == JSON_NULL) return;
    if (type != JSON_NUMBER || json->number < 0 || json->number > 1e7) json_problem(json, "%.30s is no time", json->key[1]);
    else *to = json->number;
}

static void job_mode(struct json *json, struct job *job, enum json_type type) {
    int mode, i;
    for (mode = 0; mode < MODES; mode++)
        if (type == JSON_TEXT && strcmp(json->text, MODE_NAMES[mode]) == 0) break;
    for (i = 0; i < job->mode_count; i++)
        if ((int)job->modes[i] == mode) json_problem(json, "a mode is given twice");
    if (mode == MODES) json_problem(json, "unknown modes");
    else if (!json_is_bad(json)) job->modes[job->mode_count++] = (enum mode)mode;
}

static void job_choice(struct json *json, struct job *job, int level, enum json_type type) {
    struct choice *choice;
    size_t i;
    if (level == 3 && (type != JSON_OBJECT || json->key_is_cut[2] || job->choice_count == 2 * MAX_TENSORS)) {
        json_problem(json, "io is not a choice for each input or output");
        return;
    }
    choice = &job->choices[level == 3 ? job->choice_count++ : job->choice_count - 1];
    if (level == 3) {
        memset(choice, 0, sizeof *choice);
        say(choice->name, sizeof choice->name, "%s", json->key[2]);
        choice->layout = choice->type = -1;
    } else if (strcmp(json->key[3], "pass_through") == 0) choice->pass_through = type == JSON_TRUE;
    else if (strcmp(json->key[3], "want_float") == 0) choice->as_it_is = type == JSON_FALSE;
    else if (strcmp(json->key[3], "layout") == 0 && type == JSON_TEXT)
        choice->layout = strcmp(json->text, "NCHW") == 0 ? 0 : strcmp(json->text, "NHWC") == 0 ? 1 : -1;
    else if (strcmp(json->key[3], "type") == 0 && type == JSON_TEXT) {
        for (i = 0; i < COUNT_OF(RKNN_TYPES); i++)
            if (strcmp(json->text, RKNN_TYPES[i].wish) == 0) choice->type = (int)i;
        if (choice->type < 0) json_problem(json, "io: unknown type %.20s", json->text);
    }
}

/* The file with the second input of a sequence check. */
static void job_second(struct json *json, struct job *job, enum json_type type) {
    if (type == JSON_NULL || (type == JSON_TEXT && json->text_length == 0)) return;
    if (type != JSON_TEXT || !is_plain_name(json->text)) json_problem(json, "second is not a plain file name");
    else say(job->second, sizeof job->second, "%s", json->text);
}

static void job_found(struct json *json, int level, enum json_type type) {
    struct job *job = json->context;
    size_t i;
    for (i = 0; i < COUNT_OF(JOB_WHOLES); i++)
        if (is_member(json, level, JOB_WHOLES[i].key))
            job_whole(json, (int64_t *)(void *)((char *)job + JOB_WHOLES[i].place), JOB_WHOLES[i].least, JOB_WHOLES[i].most, type);
    for (i = 0; i < COUNT_OF(JOB_TEXTS); i++)
        if (is_member(json, level, JOB_TEXTS[i].key)) {
            if (type != JSON_TEXT || json->text_length >= JOB_TEXTS[i].size) json_problem(json, "%.30s is no name", json->key[1]);
            else say((char *)job + JOB_TEXTS[i].place, JOB_TEXTS[i].size, "%s", json->text);
        }
    if (is_member(json, level, "deadline_s")) job_seconds(json, &job->deadline_s, type);
    if (is_member(json, level, "orphan_s")) job_seconds(json, &job->orphan_s, type);
    if (is_member(json, level, "hang_s")) job_seconds(json, &job->hang_s, type);
    if (is_member(json, level, "fix_clocks")) job->fix_clocks = type == JSON_TRUE;
    if (level == 3 && strcmp(json->key[1], "modes") == 0 && json->index[2] >= 0) job_mode(json, job, type);
    if (is_inner(json, level, "sequence", "repeats")) job_whole(json, &job->repeats, 1, 1000, type);
    if (is_inner(json, level, "sequence", "reloads")) job_whole(json, &job->reloads, 1, 1000, type);
    if (is_inner(json, level, "sequence", "second")) job_second(json, job, type);
    if ((level == 3 || level == 4) && strcmp(json->key[1], "io") == 0) job_choice(json, job, level, type);
}

/* job.json of `folder`, checked; false with the reason in `problem` (300 bytes). */
static bool read_job(const char *folder, struct job *job, char *problem) {
    struct json *json = calloc(1, sizeof *json);
    char path[PATH_SIZE];
    int fd = join(path, folder, "job.json") ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    bool is_good = false;
    memset(job, 0, sizeof *job);
    job->fence = -1;
    job->warmup = 2;
    job->iterations = 20;
    job->deadline_s = 300;
    job->orphan_s = 120;
    job->repeats = 10;
    job->reloads = 3;
    if (json == NULL || fd < 0) say(problem, 300, "job.json: %s", strerror(errno));
    else {
        json->found = job_found;
        json->context = job;
        is_good = json_read(json, fd, NULL, MAX_LINE);
        say(problem, 300, "job.json: %s", json->problem);
    }
    if (is_good && (job->schema != 2 || strcmp(job->kind, "run") != 0 || job->fence < 0)) {
        say(problem, 300, "job.json is not a run of schema 2");
        is_good = false;
    } else if (is_good && (!is_plain_name(job->artifact) || !is_plain_name(job->inputs))) {
        say(problem, 300, "job.json: artifact or inputs is not a plain file name");
        is_good = false;
    } else if (is_good && job->mode_count == 0) {
        say(problem, 300, "job.json: unknown modes");
        is_good = false;
    }
    if (fd >= 0) (void)close(fd);
    free(json);
    return is_good;
}

/* ---------------------------------------------------------------- NPU kinds: what a throw-away child is given */

/* The call into the vendor's library that is under way, and signs of life; shared with the run, which ends a child that
 * hangs or falls silent. */
struct progress {
    volatile char call[24]; /* empty: none */
    volatile int64_t since_ms;
    volatile uint32_t signs;
};

struct place {
    const struct job *job;
    const char *mode; /* of MODE_NAMES, or "probe" */
    const char *folder, *out;
    struct progress *progress;
    const struct kind *kind;
    int trouble; /* where a child says which errno kept it from starting */
};

struct kind {
    const char *name;
    int generation; /* of the vendor's runtime; 0: none */
    bool (*is_here)(const struct kind *kind);
    void (*prepare)(const struct place *place); /* in the child, before anything is loaded */
    void (*act)(const struct place *place);
    const char *(*failure_of)(int status, const char *tail);
    bool (*is_layer)(const char *name); /* whether a file holds a layer; such come while the child goes on. NULL: one file at the end */
    const char *not_dumped;             /* why there may be none */
    bool gives_signs;                   /* of life, or is any program, that knows nothing of them */
    const char *libraries[2];
};

/* Writes report.json in `out`, whole or not at all. */
struct report {
    int fd;
    struct writer writer;
    char bytes[4096];
    char path[PATH_SIZE], part[PATH_SIZE];
};

static bool report_begin(struct report *report, const char *out) {
    (void)join(report->path, out, "report.json");
    report->fd = join(report->part, out, "report.json.part")
                     ? open(report->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)
                     : -1;
    writer_begin(&report->writer, report->fd, report->bytes, sizeof report->bytes);
    put(&report->writer, "{");
    return report->fd >= 0;
}

static bool report_end(struct report *report) {
    put(&report->writer, "}");
    return report->fd >= 0 && writer_flush(&report->writer) && close(report->fd) == 0 &&
           rename(report->part, report->path) == 0;
}

/* The end of a text file; empty when there is none. */
static void read_tail(const char *folder, const char *name, char *tail, size_t size) {
    char path[PATH_SIZE];
    int fd = join(path, folder, name) ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    ssize_t got = -1;
    off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    if (fd >= 0 && lseek(fd, end > (off_t)size - 1 ? end - (off_t)size + 1 : 0, SEEK_SET) >= 0) got = read_all(fd, tail, size - 1);
    if (fd >= 0) (void)close(fd);
    for (tail[got > 0 ? got : 0] = '\0'; got-- > 0;)
        if (tail[got] == '\0') tail[got] = ' ';
}

/* ---------------------------------------------------------------- signs of life: see boardagent/signs.py
 *
 * A hanging call is told by `progress`. Here it is about a child that can do nothing any more: stopped, or stuck in the driver
 * with all its threads. */

#define SIGN_EVERY_MS 500
#define SILENCE_MS 5000
#define MOST_OF_A_LOOK_MS 1000

static void *give_signs(void *given) {
    struct progress *progress = given;
    for (;;) {
        progress->signs++;
        pause_ms(SIGN_EVERY_MS);
    }
    return NULL;
}

/* In the child: gives signs until the process ends, from a thread that no signal meets; false when there is none to be had. */
static bool begin_signs(struct progress *progress) {
    pthread_t thread;
    pthread_attr_t small;
    sigset_t all, before;
    bool is_done = pthread_attr_init(&small) == 0;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &before);
    (void)pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&small, 256 * 1024);
    is_done = is_done && pthread_create(&thread, &small, give_signs, progress) == 0;
    (void)pthread_attr_destroy(&small);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return is_done;
}

struct listener {
    int64_t looked_ms, silent_ms;
    uint32_t signs;
    uint64_t turns;
};

static void listener_begin(struct listener *listener) {
    memset(listener, 0, sizeof *listener);
    listener->looked_ms = now_ms();
}

/* The number behind `field` in a file of /proc whose text this is, 0 when it is not there. */
static uint64_t status_number(const char *text, const char *field) {
    const char *place = strstr(text, field);
    return place == NULL ? 0 : strtoull(place + strlen(field), NULL, 10);
}

/* How often the threads of a process had their turn so far; `*runs` when one runs or waits for its turn. */
static uint64_t turns_of(pid_t pid, bool *runs) {
    char path[96], text[4096];
    DIR *threads;
    struct dirent *entry;
    uint64_t turns = 0;
    *runs = false;
    say(path, sizeof path, "/proc/%ld/task", (long)pid);
    threads = opendir(path);
    while (threads != NULL && (entry = readdir(threads)) != NULL) {
        int64_t thread;
        if (!whole_number(entry->d_name, &thread)) continue;
        say(path, sizeof path, "/proc/%ld/task/%" PRId64 "/status", (long)pid, thread);
        if (!text_of(path, text, sizeof text)) continue;
        if (strstr(text, "\nState:\tR") != NULL) *runs = true;
        turns += 1 + status_number(text, "\nvoluntary_ctxt_switches:") + status_number(text, "\nnonvoluntary_ctxt_switches:");
    }
    if (threads != NULL) (void)closedir(threads);
    return turns;
}

/* Whether nothing has come from the child for too long, and nothing in it has moved. To be asked often: a question counts for a
 * second at most, since a run that had to wait itself has heard nothing because nobody listened. */
static bool is_silent(struct listener *listener, const struct progress *progress, pid_t child) {
    int64_t now = now_ms(), passed = now - listener->looked_ms;
    uint64_t before = listener->turns;
    bool runs = false;
    if (passed < SIGN_EVERY_MS) return false;
    listener->looked_ms = now;
    if (listener->signs != progress->signs) listener->silent_ms = 0;
    else {
        listener->turns = turns_of(child, &runs);
        listener->silent_ms += passed < MOST_OF_A_LOOK_MS ? passed : MOST_OF_A_LOOK_MS;
        if (runs || listener->turns != before) listener->silent_ms = 0;
    }
    listener->signs = progress->signs;
    return listener->silent_ms >= SILENCE_MS;
}

/* In words, what the kernel says of a process. */
static const char *state_words(pid_t pid) {
    char path[64], text[1024];
    const char *end;
    say(path, sizeof path, "/proc/%ld/stat", (long)pid);
    end = text_of(path, text, sizeof text) ? strrchr(text, ')') : NULL;
    if (end == NULL || end[1] == '\0') return "its state is not known";
    if (end[2] == 'T' || end[2] == 't') return "it is stopped";
    return end[2] == 'D' ? "it is stuck in the kernel" : "it sleeps";
}

/* ---------------------------------------------------------------- NPU kind sim: the program that LAYERWISE_SIM_NPU names */

#define MAX_WORDS 60

struct words {
    int count;
    size_t used;
    char *word[MAX_WORDS + 4];
    char bytes[16384];
};

static void words_found(struct json *json, int level, enum json_type type) {
    struct words *words = json->context;
    if (level != 3 || json->index[2] < 0) return;
    if (type != JSON_TEXT || json->text_is_cut || words->count == MAX_WORDS ||
        words->used + json->text_length + 1 > sizeof words->bytes) {
        json_problem(json, "not a list of words");
        return;
    }
    words->word[words->count] = words->bytes + words->used;
    memcpy(words->word[words->count++], json->text, json->text_length + 1);
    words->used += json->text_length + 1;
}

/* The words of a JSON list; false when it is none. */
static bool read_words(const char *list, struct words *words) {
    struct json *json = calloc(1, sizeof *json);
    size_t length = strlen(list);
    char *object = malloc(length + 16);
    bool is_good = false;
    memset(words, 0, sizeof *words);
    if (json != NULL && object != NULL) {
        say(object, length + 16, "{\"words\":%s}", list);
        json->found = words_found;
        json->context = words;
        is_good = json_read(json, -1, object, strlen(object)) && words->count > 0;
    }
    free(object);
    free(json);
    return is_good;
}

static bool sim_is_here(const struct kind *kind) {
    const char *named = getenv("LAYERWISE_SIM_NPU");
    (void)kind;
    return named != NULL && named[0] != '\0';
}

static void sim_act(const struct place *place) {
    static struct words words;
    const char *named = getenv("LAYERWISE_SIM_NPU");
    char mode[16], folder[PATH_SIZE], out[PATH_SIZE];
    if (named == NULL || !read_words(named, &words)) {
        errno = EINVAL;
        return;
    }
    say(mode, sizeof mode, "%s", place->mode);
    say(folder, sizeof folder, "%s", place->folder);
    say(out, sizeof out, "%s", place->out);
    words.word[words.count] = mode;
    words.word[words.count + 1] = folder;
    words.word[words.count + 2] = out;
    words.word[words.count + 3] = NULL;
    (void)execvp(words.word[0], words.word);
}

static const char *sim_failure_of(int status, const char *tail) {
    (void)status;
    (void)tail;
    return "board:npu-failed"; /* a program that says nothing has failed, whatever killed it */
}

/* ---------------------------------------------------------------- NPU kinds rknn1 and rknn2: the ABI of Rockchip's runtimes
 *
 * Generation 1 is librknn_api.so 1.7.x: declarations of our own after the facts of the C API guide 1.7.5 [API 3.2] and its sizes on
 * both ABIs. Generation 2 is RKNPU2's librknnrt.so: order and types of the fields are those of the public rknn_api.h of 1.5 to 2.x;
 * sizes follow from the ABI rules and NEED A BOARD to be proved. 32 bit boards have a 32 bit context, where __arm__ is defined and
 * nowhere else. */

#ifdef __arm__
typedef uint32_t rknn_context;
#else
typedef uint64_t rknn_context;
#endif

enum { RKNN_SUCCESS = 0, RKNN_MAX_DIMS = 16, RKNN_FLAG_PERF = 8, RKNN_AFFINE = 2, RKNN_NO_FORMAT = 3 };
enum { RKNN_IN_OUT_NUM, RKNN_INPUT_ATTR, RKNN_OUTPUT_ATTR, RKNN_PERF_DETAIL, RKNN_PERF_RUN, RKNN_SDK_VERSION };
enum { RKNN_FLOAT32, RKNN_FLOAT16 };

struct rknn_counts {
    uint32_t inputs, outputs;
};

/* What is behind `scale` is of generation 2. */
struct rknn_attr {
    uint32_t index, dimensions, sides[RKNN_MAX_DIMS]; /* in numpy's order, once described */
    char name[256];
    uint32_t elements, size;
    int32_t format, type, quantization;
    int8_t fraction_length;
    int32_t zero_point; /* generation 1 says that it has no sign */
    float scale;
    uint32_t width_stride, size_with_stride;
    uint8_t pass_through;
    uint32_t height_stride;
};

struct rknn_perf_detail {
    char *text;
    uint64_t length;
};

struct rknn_perf_run {
    int64_t duration_us;
};

struct rknn_version {
    char api[256], driver[256];
};

struct rknn_input {
    uint32_t index;
    void *bytes;
    uint32_t size;
    uint8_t pass_through;
    int32_t type, format;
};

struct rknn_output {
    uint8_t want_float, is_preallocated;
    uint32_t index;
    void *bytes;
    uint32_t size;
};

#define FITS(what, size) _Static_assert(what == (size), #what " is not " #size)
FITS(sizeof(struct rknn_counts), 8);
FITS(sizeof(struct rknn_attr), 376);
FITS(offsetof(struct rknn_attr, sides), 8);
FITS(offsetof(struct rknn_attr, name), 72);
FITS(offsetof(struct rknn_attr, elements), 328);
FITS(offsetof(struct rknn_attr, format), 336);
FITS(offsetof(struct rknn_attr, fraction_length), 348);
FITS(offsetof(struct rknn_attr, zero_point), 352);
FITS(offsetof(struct rknn_attr, scale), 356);
FITS(offsetof(struct rknn_attr, width_stride), 360); /* the size in generation 1 */
FITS(offsetof(struct rknn_attr, size_with_stride), 364);
FITS(offsetof(struct rknn_attr, pass_through), 368);
FITS(offsetof(struct rknn_attr, height_stride), 372);
FITS(sizeof(struct rknn_perf_detail), 16);
FITS(offsetof(struct rknn_perf_detail, length), 8);
FITS(sizeof(struct rknn_perf_run), 8);
FITS(sizeof(struct rknn_version), 512);
#if UINTPTR_MAX == 0xffffffffu
FITS(sizeof(struct rknn_input), 24);
FITS(offsetof(struct rknn_input, bytes), 4);
FITS(offsetof(struct rknn_input, pass_through), 12);
FITS(offsetof(struct rknn_input, type), 16);
FITS(sizeof(struct rknn_output), 16);
FITS(offsetof(struct rknn_output, bytes), 8);
#else
FITS(sizeof(struct rknn_input), 32);
FITS(offsetof(struct rknn_input, bytes), 8);
FITS(offsetof(struct rknn_input, pass_through), 20);
FITS(offsetof(struct rknn_input, type), 24);
FITS(sizeof(struct rknn_output), 24);
FITS(offsetof(struct rknn_output, bytes), 8);
#endif
#ifdef __arm__
FITS(sizeof(rknn_context), 4);
#else
FITS(sizeof(rknn_context), 8);
#endif

struct rknn {
    int (*init1)(rknn_context *context, void *model, uint32_t size, uint32_t flag);
    int (*init2)(rknn_context *context, void *model, uint32_t size, uint32_t flag, void *extend);
    int (*destroy)(rknn_context context);
    int (*query)(rknn_context context, int command, void *info, uint32_t size);
    int (*inputs_set)(rknn_context context, uint32_t count, struct rknn_input *inputs);
    int (*run)(rknn_context context, void *extend);
    int (*outputs_get)(rknn_context context, uint32_t count, struct rknn_output *outputs, void *extend);
    int (*outputs_release)(rknn_context context, uint32_t count, struct rknn_output *outputs);
    rknn_context context;
    bool is_open;
    struct rknn_version version;
    struct rknn_counts counts;
    struct rknn_attr inputs[MAX_TENSORS], outputs[MAX_TENSORS];
    struct rknn_input given[MAX_TENSORS];
    struct rknn_output got[MAX_TENSORS];
    bool as_it_is[MAX_TENSORS]; /* which outputs the job wants as the NPU left them */
    struct tensors tensors;
    char library[PATH_SIZE];
    double init_us;
    const struct place *place;
    struct failure failure;
};

#define MOST_LIBRARIES COUNT_OF(((struct kind *)0)->libraries)

static const char *const RKNN_FOLDERS =
    "/usr/lib:/usr/lib64:/usr/lib32:/usr/lib/arm-linux-gnueabihf:/usr/lib/aarch64-linux-gnu:/usr/local/lib:/lib:/oem/usr/lib:"
    "/vendor/lib64:/vendor/lib";

/* The first of the library's names in the first folder of the list that has one. */
static bool find_in(const struct kind *kind, const char *folders, bool is_usual, char *path) {
    char list[PATH_SIZE], *save = NULL, *folder;
    size_t i;
    say(list, sizeof list, "%s", folders);
    for (folder = strtok_r(list, ":", &save); folder != NULL; folder = strtok_r(NULL, ":", &save)) {
        char below_root[PATH_SIZE];
        if (is_usual) at(below_root, folder);
        for (i = 0; i < MOST_LIBRARIES && kind->libraries[i] != NULL; i++)
            if (join(path, is_usual ? below_root : folder, kind->libraries[i]) && is_file(path)) return true;
    }
    return false;
}

/* Where the vendor's library is: the file that LAYERWISE_RKNN_LIBRARY names comes first when it is called like one, then
 * LD_LIBRARY_PATH, then the usual folders. */
static bool rknn_find(const struct kind *kind, char *path) {
    const char *given = getenv("LAYERWISE_RKNN_LIBRARY"), *listed = getenv("LD_LIBRARY_PATH"), *name;
    size_t i;
    if (given == NULL || given[0] == '\0')
        return (listed != NULL && find_in(kind, listed, false, path)) || find_in(kind, RKNN_FOLDERS, true, path);
    name = strrchr(given, '/') == NULL ? given : strrchr(given, '/') + 1;
    say(path, PATH_SIZE, "%s", given);
    for (i = 0; i < MOST_LIBRARIES && kind->libraries[i] != NULL; i++)
        if (strncmp(name, kind->libraries[i], strlen(kind->libraries[i])) == 0) return is_file(path);
    return false;
}

static bool rknn_is_here(const struct kind *kind) {
    char path[PATH_SIZE];
    return rknn_find(kind, path);
}

/* What the vendor calls its codes [API 3.2.6], and which failure of the site each is. */
static const struct {
    const char *name, *code;
} RKNN_ERRORS[] = {
    {"RKNN_SUCC", "board:npu-failed"},
    {"RKNN_ERR_FAIL", "board:npu-failed"},
    {"RKNN_ERR_TIMEOUT", "board:npu-hung"},
    {"RKNN_ERR_DEVICE_UNAVAILABLE", "board:npu-unavailable"},
    {"RKNN_ERR_MALLOC_FAIL", "board:no-memory"},
    {"RKNN_ERR_PARAM_INVALID", "board:npu-failed"},
    {"RKNN_ERR_MODEL_INVALID", "board:rejected-artifact"},
    {"RKNN_ERR_CTX_INVALID", "board:npu-failed"},
    {"RKNN_ERR_INPUT_INVALID", "board:npu-failed"},
    {"RKNN_ERR_OUTPUT_INVALID", "board:npu-failed"},
    {"RKNN_ERR_DEVICE_UNMATCH", "board:rejected-artifact"},
    {"RKNN_ERR_INCOMPATILE_PRE_COMPILE_MODEL", "board:rejected-artifact"},
    {"RKNN_ERR_INCOMPATILE_OPTIMIZATION_LEVEL_VERSION", "board:rejected-artifact"},
    {"RKNN_ERR_TARGET_PLATFORM_UNMATCH", "board:rejected-artifact"},
    {"RKNN_ERR_NON_PRE_COMPILED_MODEL_ON_MINI_DRIVER", "board:rejected-artifact"},
};

/* Notes which call begins, for the run to see should it hang. */
static void rknn_enter(struct rknn *npu, const char *call) {
    struct progress *progress = npu->place->progress;
    size_t i;
    progress->call[0] = '\0';
    progress->since_ms = now_ms();
    for (i = strlen(call) + 1; i-- > 0;) progress->call[i] = call[i];
}

/* Whether the call that was entered went well; the failure is kept if not. */
static bool rknn_check(struct rknn *npu, const char *call, int status) {
    npu->place->progress->call[0] = '\0';
    if (status >= RKNN_SUCCESS) return true;
    if (status > -(int)COUNT_OF(RKNN_ERRORS))
        fail(&npu->failure, RKNN_ERRORS[-status].code, "%s returned %d (%s)", call, status, RKNN_ERRORS[-status].name);
    else fail(&npu->failure, "board:npu-failed", "%s returned %d (unknown code)", call, status);
    return false;
}

static bool rknn_load(struct rknn *npu) {
    static const char *const names[] = {"rknn_init", "rknn_destroy", "rknn_query", "rknn_inputs_set",
                                        "rknn_run",  "rknn_outputs_get", "rknn_outputs_release"};
    bool is_first = npu->place->kind->generation == 1;
    void *to[] = {is_first ? (void *)&npu->init1 : (void *)&npu->init2, &npu->destroy, &npu->query, &npu->inputs_set, &npu->run, &npu->outputs_get, &npu->outputs_release};
    char *path = npu->library;
    void *library;
    size_t i;
    if (!rknn_find(npu->place->kind, path)) {
        fail(&npu->failure, "board:npu-unavailable", "%s is not here", npu->place->kind->libraries[0]);
        return false;
    }
    rknn_enter(npu, "dlopen");
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    npu->place->progress->call[0] = '\0';
    if (library == NULL) {
        const char *reason = dlerror();
        fail(&npu->failure, "board:npu-unavailable", "%.300s cannot be used: %.1000s", path, reason == NULL ? "?" : reason);
        return false;
    }
    for (i = 0; i < COUNT_OF(names); i++) {
        void *symbol = dlsym(library, names[i]);
        if (symbol == NULL) {
            fail(&npu->failure, "board:npu-unavailable", "%.300s has no %s", path, names[i]);
            return false;
        }
        memcpy(to[i], &symbol, sizeof symbol); /* ISO C has no cast from an object to a function */
    }
    return true;
}

static bool rknn_query(struct rknn *npu, int command, void *info, size_t size) {
    rknn_enter(npu, "rknn_query");
    return rknn_check(npu, "rknn_query", npu->query(npu->context, command, info, (uint32_t)size));
}

/* Refuses what no tensor can be: the library's word is checked before anything is computed from it. */
static bool rknn_attr_is_sane(struct rknn *npu, struct rknn_attr *attr, const char *what) {
    uint64_t elements = 1;
    uint32_t i;
    attr->name[sizeof attr->name - 1] = '\0';
    for (i = 0; i < attr->dimensions && attr->dimensions <= RKNN_MAX_DIMS; i++)
        if (__builtin_mul_overflow(elements, (uint64_t)attr->sides[i], &elements) || elements > 1u << 28) elements = 0;
    if (attr->dimensions <= RKNN_MAX_DIMS && elements > 0 && elements == attr->elements) return true;
    fail(&npu->failure, "board:npu-failed", "the library describes an %s with %" PRIu32 " dimensions and %" PRIu32 " elements", what,
         attr->dimensions, attr->elements);
    return false;
}

/* Generation 1 tells dimensions the other way round than everybody else [API 6.1.1.5]. */
static bool rknn_describe_one(struct rknn *npu, bool is_output, uint32_t index) {
    struct rknn_attr *attr = is_output ? &npu->outputs[index] : &npu->inputs[index];
    bool is_first = npu->place->kind->generation == 1;
    size_t size = is_first ? offsetof(struct rknn_attr, width_stride) : sizeof *attr;
    uint32_t i;
    memset(attr, 0, sizeof *attr);
    attr->index = index;
    if (!rknn_query(npu, is_output ? RKNN_OUTPUT_ATTR : RKNN_INPUT_ATTR, attr, size)) return false;
    attr->index = index;
    if (!rknn_attr_is_sane(npu, attr, is_output ? "output" : "input")) return false;
    for (i = 0; is_first && i < attr->dimensions / 2; i++) {
        uint32_t side = attr->sides[i];
        attr->sides[i] = attr->sides[attr->dimensions - 1 - i];
        attr->sides[attr->dimensions - 1 - i] = side;
    }
    return true;
}

static const struct choice *choice_for(const struct job *job, const char *name) {
    int i;
    for (i = 0; i < job->choice_count; i++)
        if (strcmp(job->choices[i].name, name) == 0) return &job->choices[i];
    return NULL;
}

static bool rknn_describe(struct rknn *npu) {
    const struct choice *choice;
    uint32_t i;
    if (!rknn_query(npu, RKNN_IN_OUT_NUM, &npu->counts, sizeof npu->counts)) return false;
    if (npu->counts.inputs > MAX_TENSORS || npu->counts.outputs > MAX_TENSORS || npu->counts.outputs == 0 || npu->counts.inputs == 0) {
        fail(&npu->failure, "board:npu-failed", "the library tells of %" PRIu32 " inputs and %" PRIu32 " outputs", npu->counts.inputs,
             npu->counts.outputs);
        return false;
    }
    for (i = 0; i < npu->counts.inputs; i++)
        if (!rknn_describe_one(npu, false, i)) return false;
    for (i = 0; i < npu->counts.outputs; i++) {
        if (!rknn_describe_one(npu, true, i)) return false;
        choice = choice_for(npu->place->job, npu->outputs[i].name);
        npu->as_it_is[i] = choice != NULL && choice->as_it_is;
    }
    return true;
}

/* What the library says of its version; where it does not, what stands in its file: only 1.7 tells it without a context. */
static void rknn_ask_version(struct rknn *npu) {
    struct failure before = npu->failure;
    static struct stack_file about;
    memset(&npu->version, 0, sizeof npu->version);
    if (!rknn_query(npu, RKNN_SDK_VERSION, &npu->version, sizeof npu->version)) memset(&npu->version, 0, sizeof npu->version);
    npu->failure = before;
    npu->version.api[sizeof npu->version.api - 1] = npu->version.driver[sizeof npu->version.driver - 1] = '\0';
    if (npu->version.api[0] != '\0' || npu->is_open) return;
    read_stack_file(npu->library, &about);
    say(npu->version.api, sizeof npu->version.api, "%s", about.build);
}

/* Opens the artifact on the NPU. The library copies what it needs: the model's pages may go afterwards [API 6.1.3.1]. */
static bool rknn_open(struct rknn *npu, uint32_t flag) {
    char path[PATH_SIZE];
    int fd = join(path, npu->place->folder, npu->place->job->artifact) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    struct stat about;
    void *model = MAP_FAILED;
    struct timespec start;
    int status;
    if (fd >= 0 && fstat(fd, &about) == 0 && about.st_size > 0 && (uint64_t)about.st_size <= UINT32_MAX)
        model = mmap(NULL, (size_t)about.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    if (fd >= 0) (void)close(fd);
    if (model == MAP_FAILED) {
        fail(&npu->failure, "board:rejected-artifact", "the artifact cannot be read, or is empty");
        return false;
    }
    rknn_enter(npu, "rknn_init");
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    status = npu->place->kind->generation == 1 ? npu->init1(&npu->context, model, (uint32_t)about.st_size, flag)
                                               : npu->init2(&npu->context, model, (uint32_t)about.st_size, flag, NULL);
    npu->init_us = since_us(&start);
    (void)munmap(model, (size_t)about.st_size);
    if (!rknn_check(npu, "rknn_init", status)) return false;
    npu->is_open = true;
    rknn_ask_version(npu);
    return rknn_describe(npu);
}

static void rknn_close(struct rknn *npu) {
    if (!npu->is_open) return;
    rknn_enter(npu, "rknn_destroy");
    (void)npu->destroy(npu->context);
    npu->place->progress->call[0] = '\0';
    npu->is_open = false;
}

/* How many of RKNN_TYPES this generation knows. */
static int rknn_type_count(const struct rknn *npu) { return npu->place->kind->generation == 1 ? TYPES_OF_1 : (int)COUNT_OF(RKNN_TYPES); }

static int rknn_type_of(const struct rknn *npu, const char *dtype) {
    int type;
    for (type = 0; type < rknn_type_count(npu); type++)
        if (strcmp(RKNN_TYPES[type].dtype, dtype) == 0) return type;
    return -1;
}

/* Whether both are the same name; `without_id`: but for the "_<layer id>" that the toolkit appends. */
static bool is_same_name(const char *one, const char *other, bool without_id) {
    size_t length[2] = {strlen(one), strlen(other)}, i;
    for (i = 0; i < 2 && without_id; i++) {
        const char *name = i == 0 ? one : other;
        size_t end = length[i];
        while (end > 0 && isdigit((unsigned char)name[end - 1])) end--;
        if (end > 0 && end < length[i] && name[end - 1] == '_') length[i] = end - 1;
    }
    return length[0] == length[1] && memcmp(one, other, length[0]) == 0;
}

/* Which tensor of the file goes into which input: the same name, the same but for the id, or what is left in its order. */
static bool rknn_match(struct rknn *npu, int *tensor_of) {
    bool is_taken[MAX_TENSORS] = {false};
    int count = (int)npu->counts.inputs, place, other, round;
    if (npu->tensors.count != count) {
        fail(&npu->failure, "board:rejected-artifact", "the artifact takes %d inputs, the file holds %d", count, npu->tensors.count);
        return false;
    }
    for (place = 0; place < count; place++) tensor_of[place] = -1;
    for (round = 0; round < 2; round++)
        for (place = 0; place < count; place++) {
            int fitting = 0, found = 0;
            for (other = 0; other < count; other++)
                if (!is_taken[other] && is_same_name(npu->inputs[place].name, npu->tensors.list[other].name, round == 1)) {
                    fitting++;
                    found = other;
                }
            if (tensor_of[place] >= 0 || fitting != 1) continue;
            tensor_of[place] = found;
            is_taken[found] = true;
        }
    for (place = 0; place < count; place++)
        for (other = 0; other < count && tensor_of[place] < 0; other++)
            if (!is_taken[other]) {
                tensor_of[place] = other;
                is_taken[other] = true;
            }
    return true;
}

/* Whether the file's shape is the attribute's in `format`, sides of 1 left out. */
static bool rknn_has_layout(const struct rknn_attr *attr, const struct tensor *tensor, int format) {
    uint64_t sides[RKNN_MAX_DIMS], wanted[4], given[MAX_DIMENSIONS];
    int i, wanted_count = 0, given_count = 0;
    for (i = 0; i < 4; i++) sides[i] = attr->sides[i];
    if (format != attr->format) {
        uint64_t a = sides[1], b = sides[2], c = sides[3];
        sides[1] = format == 0 ? c : b;
        sides[2] = format == 0 ? a : c;
        sides[3] = format == 0 ? b : a;
    }
    for (i = 0; i < 4; i++)
        if (sides[i] != 1) wanted[wanted_count++] = sides[i];
    for (i = 0; i < tensor->dimensions; i++)
        if (tensor->shape[i] != 1) given[given_count++] = tensor->shape[i];
    return wanted_count == given_count && memcmp(wanted, given, (size_t)given_count * sizeof *given) == 0;
}

/* The layout in which the file's values lie: the graph's own where that fits, the other where only that does. */
static int rknn_layout_of(const struct rknn *npu, const struct rknn_attr *attr, const struct tensor *tensor) {
    int other = attr->format == 0 ? 1 : 0;
    if (attr->dimensions != 4 || (attr->format != 0 && attr->format != 1))
        return npu->place->kind->generation == 1 ? attr->format : RKNN_NO_FORMAT;
    if (!rknn_has_layout(attr, tensor, attr->format) && rknn_has_layout(attr, tensor, other)) return other;
    return attr->format;
}

/* Reads input `index` into memory and says how it goes in: as the job wishes, else as the graph has it. */
static bool rknn_take_input(struct rknn *npu, int fd, uint32_t index, const struct tensor *tensor, struct rknn_input *input) {
    const struct rknn_attr *attr = &npu->inputs[index];
    const struct choice *choice = choice_for(npu->place->job, tensor->name);
    uint64_t size = tensor->end - tensor->begin, wanted;
    memset(input, 0, sizeof *input);
    input->index = index;
    input->pass_through = choice != NULL && choice->pass_through;
    input->type = rknn_type_of(npu, tensor->dtype);
    input->format = choice != NULL && choice->layout >= 0 ? choice->layout : rknn_layout_of(npu, attr, tensor);
    wanted = input->pass_through ? attr->size : (uint64_t)attr->elements * (input->type < 0 ? 0 : RKNN_TYPES[input->type].bytes);
    if (input->type < 0 || size != wanted || size == 0) {
        fail(&npu->failure, "board:rejected-artifact", "input %.100s takes %" PRIu64 " bytes, the file holds %" PRIu64 " as %s", attr->name,
             wanted, size, tensor->dtype);
        return false;
    }
    if (choice != NULL && choice->type >= 0 && choice->type != input->type) {
        fail(&npu->failure, "board:rejected-artifact", "input %.100s is to go in as %s, the file holds %s", attr->name,
             RKNN_TYPES[choice->type].wish, tensor->dtype);
        return false;
    }
    input->size = (uint32_t)size;
    input->bytes = malloc((size_t)size);
    if (input->bytes == NULL) fail(&npu->failure, "board:no-memory", "no memory for input %.100s", tensor->name);
    else if (lseek(fd, (off_t)(npu->tensors.data + tensor->begin), SEEK_SET) < 0 ||
             read_all(fd, input->bytes, (size_t)size) != (ssize_t)size)
        fail(&npu->failure, "board:npu-failed", "the inputs file cannot be read");
    return !failed(&npu->failure);
}

/* Fills `given` from the inputs file `name` of the run's folder. */
static bool rknn_take_inputs(struct rknn *npu, const char *name, struct rknn_input *given) {
    struct json *json = calloc(1, sizeof *json);
    char path[PATH_SIZE], problem[160] = "it cannot be opened";
    int fd = join(path, npu->place->folder, name) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    int tensor_of[MAX_TENSORS];
    uint32_t i;
    if (json == NULL || fd < 0 || !read_tensors(json, fd, &npu->tensors, problem))
        fail(&npu->failure, "board:npu-failed", "%.100s: %s", name, problem);
    else if (rknn_match(npu, tensor_of))
        for (i = 0; i < npu->counts.inputs && !failed(&npu->failure); i++)
            (void)rknn_take_input(npu, fd, i, &npu->tensors.list[tensor_of[i]], &given[i]);
    if (fd >= 0) (void)close(fd);
    free(json);
    return !failed(&npu->failure);
}

/* Opens the artifact and has its inputs ready. */
static bool rknn_begin(struct rknn *npu, uint32_t flag) {
    return rknn_open(npu, flag) && rknn_take_inputs(npu, npu->place->job->inputs, npu->given);
}

static bool rknn_set_inputs(struct rknn *npu) {
    rknn_enter(npu, "rknn_inputs_set");
    return rknn_check(npu, "rknn_inputs_set", npu->inputs_set(npu->context, npu->counts.inputs, npu->given));
}

/* One execution; `*wall_us` by our clock. */
static bool rknn_execute(struct rknn *npu, double *wall_us) {
    struct timespec start;
    int status;
    if (!rknn_set_inputs(npu)) return false;
    rknn_enter(npu, "rknn_run");
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    status = npu->run(npu->context, NULL);
    *wall_us = since_us(&start);
    return rknn_check(npu, "rknn_run", status);
}

/* Microseconds of the last execution by the runtime's own counter, 0 where it tells none. RKNPU2 counts up to the fetching of the
 * outputs. */
static double rknn_counted_us(struct rknn *npu) {
    struct rknn_perf_run counter = {-1};
    int status;
    rknn_enter(npu, "rknn_query");
    status = npu->query(npu->context, RKNN_PERF_RUN, &counter, (uint32_t)sizeof counter);
    npu->place->progress->call[0] = '\0';
    return status >= RKNN_SUCCESS && counter.duration_us > 0 && counter.duration_us < 100000000000 ? (double)counter.duration_us : 0;
}

static size_t rknn_output_bytes(const struct rknn *npu, uint32_t index) {
    return npu->got[index].want_float ? (size_t)npu->outputs[index].elements * 4 : npu->outputs[index].size;
}

/* Fetches the outputs in buffers of the library, good until rknn_give_back: as the job wants them, else (`as_wished` false) all of
 * them as floats. */
static bool rknn_fetch(struct rknn *npu, bool as_wished) {
    uint32_t i;
    memset(npu->got, 0, sizeof npu->got);
    for (i = 0; i < npu->counts.outputs; i++) {
        npu->got[i].want_float = !(as_wished && npu->as_it_is[i]);
        npu->got[i].index = i;
    }
    rknn_enter(npu, "rknn_outputs_get");
    if (!rknn_check(npu, "rknn_outputs_get", npu->outputs_get(npu->context, npu->counts.outputs, npu->got, NULL))) return false;
    for (i = 0; i < npu->counts.outputs; i++) {
        npu->got[i].want_float = !(as_wished && npu->as_it_is[i]);
        if (npu->got[i].bytes == NULL || npu->got[i].size < rknn_output_bytes(npu, i))
            fail(&npu->failure, "board:npu-failed", "output %.100s came as %" PRIu32 " bytes instead of %zu", npu->outputs[i].name,
                 npu->got[i].size, rknn_output_bytes(npu, i));
    }
    return !failed(&npu->failure);
}

static bool rknn_give_back(struct rknn *npu) {
    rknn_enter(npu, "rknn_outputs_release");
    return rknn_check(npu, "rknn_outputs_release", npu->outputs_release(npu->context, npu->counts.outputs, npu->got));
}

/* A name for output `index`, none twice and none empty; the names before it are there already. */
static void rknn_name_output(struct rknn *npu, uint32_t index) {
    const char *own = npu->outputs[index].name;
    struct tensor *tensor = &npu->tensors.list[index];
    uint32_t other;
    say(tensor->name, sizeof tensor->name, "%s", own[0] == '\0' || strcmp(own, "__metadata__") == 0 ? "output" : own);
    for (other = 0; other < index; other++)
        if (strcmp(npu->tensors.list[other].name, tensor->name) == 0) {
            say(tensor->name, sizeof tensor->name, "%.240s_%" PRIu32, own[0] == '\0' ? "output" : own, index);
            return;
        }
}

/* The outputs' names, types and shapes. */
static bool rknn_output_tensors(struct rknn *npu) {
    uint32_t i, side;
    uint64_t bytes;
    npu->tensors.count = (int)npu->counts.outputs;
    for (i = 0; i < npu->counts.outputs; i++) {
        struct tensor *tensor = &npu->tensors.list[i];
        const struct rknn_attr *attr = &npu->outputs[i];
        bool is_known = attr->type >= 0 && attr->type < rknn_type_count(npu);
        memset(tensor, 0, sizeof *tensor);
        rknn_name_output(npu, i);
        say(tensor->dtype, sizeof tensor->dtype, "%s", npu->got[i].want_float ? "F32" : is_known ? RKNN_TYPES[attr->type].dtype : "?");
        tensor->dimensions = (int)attr->dimensions;
        for (side = 0; side < attr->dimensions; side++) tensor->shape[side] = attr->sides[side];
        if (tensor_bytes(tensor, &bytes) && bytes == rknn_output_bytes(npu, i)) continue;
        fail(&npu->failure, "board:npu-failed", "output %.100s has %zu bytes of type %" PRId32 ", which is not its shape's size", attr->name,
             rknn_output_bytes(npu, i), attr->type);
        return false;
    }
    return true;
}

/* Scale and zero point of each output that stays as the NPU left it, as a text of JSON in `text`; NULL where there is none. */
static const char *rknn_quantization(struct rknn *npu, char *text, size_t size) {
    struct writer writer;
    uint32_t i;
    writer_begin(&writer, -1, text, size - 1);
    put(&writer, "{");
    for (i = 0; i < npu->counts.outputs; i++) {
        const struct rknn_attr *attr = &npu->outputs[i];
        bool is_first = npu->place->kind->generation == 1;
        if (npu->got[i].want_float || attr->quantization != RKNN_AFFINE) continue;
        if (!isfinite(attr->scale)) fail(&npu->failure, "board:npu-failed", "output %.100s has no finite scale", attr->name);
        put_key(&writer, npu->tensors.list[i].name);
        put(&writer, "{");
        put_key(&writer, "scale");
        put_number(&writer, (double)attr->scale);
        put_whole_member(&writer, "zero_point", is_first ? (int64_t)(uint32_t)attr->zero_point : attr->zero_point);
        put(&writer, "}");
    }
    if (writer.used == 1) return NULL;
    put(&writer, "}");
    if (writer.is_broken) fail(&npu->failure, "board:npu-failed", "the outputs' scales are too many");
    text[writer.used] = '\0';
    return text;
}

static bool rknn_save_outputs(struct rknn *npu) {
    static char scales[MAX_TENSORS * 2048];
    char path[PATH_SIZE];
    const char *quantization;
    int fd;
    uint32_t i;
    bool is_good;
    if (!rknn_output_tensors(npu)) return false;
    quantization = rknn_quantization(npu, scales, sizeof scales);
    if (failed(&npu->failure)) return false;
    fd = join(path, npu->place->out, "outputs.safetensors") ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    is_good = fd >= 0 && write_tensor_header(fd, &npu->tensors, "outputs/1", quantization);
    for (i = 0; i < npu->counts.outputs && is_good; i++) is_good = write_all(fd, npu->got[i].bytes, rknn_output_bytes(npu, i));
    if (!is_good) fail_errno(&npu->failure, errno, "the outputs cannot be written");
    if (fd >= 0) (void)close(fd);
    return is_good;
}

/* One execution with its outputs fetched, kept if `saves`, and given back. */
static bool rknn_execute_whole(struct rknn *npu, double *wall_us, bool saves) {
    return rknn_execute(npu, wall_us) && rknn_fetch(npu, true) && (!saves || rknn_save_outputs(npu)) && rknn_give_back(npu);
}

static void put_times(struct writer *writer, const char *key, const double *times, int64_t count) {
    int64_t i;
    put_key(writer, key);
    put(writer, "[");
    for (i = 0; i < count; i++) {
        put_next(writer);
        put_number(writer, times[i]);
    }
    put(writer, "]");
}

/* Warm-up, then every iteration's time by the runtime and by the wall; the last iteration's outputs. */
static bool rknn_plain(struct rknn *npu, struct writer *writer) {
    int64_t count = npu->place->job->iterations, warmup = npu->place->job->warmup, i;
    double *counted = calloc((size_t)count, sizeof *counted), *wall = calloc((size_t)count, sizeof *wall), unused;
    bool is_good = counted != NULL && wall != NULL, is_counted = true;
    if (!is_good) fail(&npu->failure, "board:no-memory", "no memory for the times");
    is_good = is_good && rknn_begin(npu, 0);
    for (i = 0; i < warmup && is_good; i++) is_good = rknn_execute_whole(npu, &unused, false);
    for (i = 0; i < count && is_good; i++) {
        is_good = rknn_execute_whole(npu, &wall[i], i == count - 1);
        counted[i] = is_good ? rknn_counted_us(npu) : 0;
        is_counted = is_counted && counted[i] > 0;
    }
    if (is_good) {
        put_key(writer, "init_us");
        put_number(writer, npu->init_us);
        put_times(writer, "iterations_us", is_counted ? counted : wall, count);
        put_times(writer, "wall_us", wall, count);
        put_text_member(writer, "outputs", "outputs.safetensors");
    }
    free(counted);
    free(wall);
    return is_good;
}

/* ---------------------------------------------------------------- the runtime's table of layer times, as boardagent/npu/perftable.py
 *
 * Generation 1: a header, then "  2  Conv_1  0  CONVOLUTION  NN  1   920": layer id, name, operation id, operator, target, uid,
 * microseconds. Names may hold blanks and old drivers leave the uid out, so that a line is read from its right end.
 * Generation 2: a heading that tells which columns there are; the name comes last. */

#define LONGEST_ROW 4000

struct perf_row {
    char layer[16], operation[16], op[64], target[32], uid[20], name[501];
    double time_us;
};

struct perf_table {
    const char *text;
    size_t left;
    int generation, columns; /* how many follow the time, the name included; -1: the heading has not come yet */
};

/* The last word of the first `*length` bytes, which it then takes away; false when there is none, or a longer one than fits. */
static bool last_word(const char *line, size_t *length, char *word, size_t size) {
    size_t end = *length, begin;
    while (end > 0 && isspace((unsigned char)line[end - 1])) end--;
    begin = end;
    while (begin > 0 && !isspace((unsigned char)line[begin - 1])) begin--;
    if (begin == end || end - begin >= size) return false;
    memcpy(word, line + begin, end - begin);
    word[end - begin] = '\0';
    *length = begin;
    return true;
}

static bool is_whole(const char *word) {
    int64_t number;
    return whole_number(word, &number);
}

/* Reads a line of the table; false for one that is no row. */
static bool read_perf_row(const char *line, size_t length, struct perf_row *row) {
    char word[64];
    int64_t time;
    size_t begin = 0, end;
    memset(row, 0, sizeof *row);
    if (!last_word(line, &length, word, sizeof word) || !whole_number(word, &time) || time < 0) return false;
    row->time_us = (double)time;
    if (!last_word(line, &length, row->target, sizeof row->target)) return false;
    if (is_whole(row->target)) {
        say(row->uid, sizeof row->uid, "%.19s", row->target);
        if (!last_word(line, &length, row->target, sizeof row->target)) return false;
    }
    if (!isalpha((unsigned char)row->target[0]) || !last_word(line, &length, row->op, sizeof row->op)) return false;
    if (!last_word(line, &length, row->operation, sizeof row->operation) || !is_whole(row->operation)) return false;
    while (begin < length && isspace((unsigned char)line[begin])) begin++;
    for (end = begin; end < length && (isdigit((unsigned char)line[end]) || line[end] == '-'); end++) continue;
    if (end == begin || end - begin >= sizeof row->layer || end == length || !isspace((unsigned char)line[end])) return false;
    memcpy(row->layer, line + begin, end - begin);
    while (end < length && isspace((unsigned char)line[end])) end++;
    while (length > end && isspace((unsigned char)line[length - 1])) length--;
    say(row->name, sizeof row->name, "%.*s", (int)(length > end ? length - end < 500 ? length - end : 500 : 0), line + end);
    return is_whole(row->layer);
}

/* The columns that follow the time in a heading of generation 2: two blanks or more are between them. -1: it is none. */
static int perf_columns(const char *line) {
    const char *place = strstr(line, "Time(us)");
    int columns = 0;
    if (strncmp(line, "ID ", 3) != 0 || place == NULL || strstr(line, "FullName") == NULL) return -1;
    for (; *place != '\0'; place++)
        if (isspace((unsigned char)place[0]) && !isspace((unsigned char)place[-1]) && isspace((unsigned char)place[1])) {
            while (isspace((unsigned char)place[1])) place++;
            columns += place[1] != '\0';
        }
    return columns;
}

static bool is_digits(const char *word) { return word[0] != '\0' && strspn(word, "0123456789") == strlen(word) && strlen(word) < 18; }

/* What a layer is called: the words from the first one on, behind "OpType:" where that is in front. */
static void perf_name(char *const *words, int count, const char *otherwise, char *name, size_t size) {
    static char whole[LONGEST_ROW + 1];
    const char *colon;
    size_t used = 0;
    int i;
    whole[0] = '\0';
    for (i = 0; i < count; i++) used += (size_t)snprintf(whole + used, sizeof whole - used, i == 0 ? "%s" : " %s", words[i]);
    colon = strchr(whole, ':');
    if (colon != NULL && colon[1] != '\0') say(name, size, "%s", colon + 1);
    else say(name, size, "%s", whole[0] != '\0' ? whole : otherwise);
}

/* Reads a row of a generation 2 table, one of `columns` behind the time; false for what is none. Takes the line apart. */
static bool read_perf_row_2(char *line, int columns, struct perf_row *row) {
    static char *words[LONGEST_ROW / 2 + 1];
    char *save = NULL, *word, *up;
    int count = 0, after;
    memset(row, 0, sizeof *row);
    if (columns < 0 || !isdigit((unsigned char)line[0])) return false;
    while ((up = strstr(line, " - Up:")) != NULL) memmove(up, up + 1, strlen(up)), memmove(up + 1, up + 2, strlen(up + 1));
    for (word = strtok_r(line, " \t\r\v\f", &save); word != NULL; word = strtok_r(NULL, " \t\r\v\f", &save)) words[count++] = word;
    after = count > 6 && strchr(words[6], '/') != NULL ? 7 : 9;
    if (count <= after + columns - 1 || count <= after || !is_digits(words[0]) || !is_digits(words[after])) return false;
    say(row->uid, sizeof row->uid, "%s", words[0]);
    say(row->op, sizeof row->op, "%.60s", words[1]);
    say(row->target, sizeof row->target, "%.20s", words[3]);
    row->time_us = strtod(words[after], NULL);
    perf_name(words + after + columns, count - after - columns, words[1], row->name, sizeof row->name);
    return true;
}

#define MOST_ROWS 20000

/* Keys of rows, none twice, as boardagent/npu/layernames.py makes them: the name without its trailing id, which shifts from
 * build to build. Of several operations of one layer the last one makes its result and has the plain key, those before it get
 * "#1", "#2"; where names become the same without their ids the ids stay. Names are kept as hashes. */
struct key_use {
    uint64_t key;
    uint32_t left, numbered;
};

struct row_name {
    uint64_t full, bare;
};

struct keys {
    bool with_ids; /* names end in an id; generation 2 has none */
    size_t rows, uses;
    struct row_name names[MOST_ROWS], sorted[MOST_ROWS];
    struct key_use use[MOST_ROWS];
};

static uint64_t hash_of(const char *text, size_t length) {
    uint64_t hash = 14695981039346656037u;
    while (length-- > 0) hash = (hash ^ (unsigned char)*text++) * 1099511628211u;
    return hash;
}

/* The length of a name without the "_<digits>" at its end. */
static size_t bare_length(const struct keys *keys, const char *name) {
    size_t length = strlen(name), end = length;
    if (!keys->with_ids) return length;
    while (end > 0 && isdigit((unsigned char)name[end - 1])) end--;
    return end < length && end > 1 && name[end - 1] == '_' && name[end - 2] != '_' ? end - 1 : length;
}

static int by_bare_then_full(const void *a, const void *b) {
    const struct row_name *one = a, *other = b;
    if (one->bare != other->bare) return one->bare < other->bare ? -1 : 1;
    return (one->full > other->full) - (one->full < other->full);
}

static int by_key(const void *a, const void *b) {
    const struct key_use *one = a, *other = b;
    return (one->key > other->key) - (one->key < other->key);
}

/* Whether several different names have this bare name. */
static bool is_shared(const struct keys *keys, const struct row_name *name) {
    struct row_name least = {0, name->bare};
    size_t low = 0, high = keys->rows;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (by_bare_then_full(&keys->sorted[middle], &least) < 0) low = middle + 1;
        else high = middle;
    }
    for (high = low; high < keys->rows && keys->sorted[high].bare == name->bare; high++)
        if (keys->sorted[high].full != keys->sorted[low].full) return true;
    return false;
}

static struct key_use *find_use(struct keys *keys, uint64_t key) {
    struct key_use wanted = {key, 0, 0};
    return bsearch(&wanted, keys->use, keys->uses, sizeof *keys->use, by_key);
}

/* Counts how often each key is due, once all names are in. */
static void count_keys(struct keys *keys) {
    size_t i, kept = 0;
    memcpy(keys->sorted, keys->names, keys->rows * sizeof *keys->names);
    qsort(keys->sorted, keys->rows, sizeof *keys->sorted, by_bare_then_full);
    for (i = 0; i < keys->rows; i++) {
        struct key_use *use = &keys->use[i];
        use->key = is_shared(keys, &keys->names[i]) ? keys->names[i].full : keys->names[i].bare;
        use->left = 1;
        use->numbered = 0;
    }
    qsort(keys->use, keys->rows, sizeof *keys->use, by_key);
    for (i = 0; i < keys->rows; i++) {
        if (kept > 0 && keys->use[kept - 1].key == keys->use[i].key) keys->use[kept - 1].left++;
        else keys->use[kept++] = keys->use[i];
    }
    keys->uses = kept;
}

/* The key of the row `number`, whose name is `name`. */
static void key_of(struct keys *keys, size_t number, const char *name, char *key, size_t size) {
    bool is_full = is_shared(keys, &keys->names[number]);
    int length = (int)(is_full ? strlen(name) : bare_length(keys, name));
    struct key_use *use = find_use(keys, is_full ? keys->names[number].full : keys->names[number].bare);
    say(key, size, "%.*s", length < 300 ? length : 300, name);
    if (use == NULL || --use->left == 0) return;
    do say(key, size, "%.*s#%" PRIu32, length < 300 ? length : 300, name, ++use->numbered);
    while (find_use(keys, hash_of(key, strlen(key))) != NULL);
}

static void put_perf_row(struct writer *writer, const struct perf_row *row, const char *key) {
    int64_t uid;
    put_next(writer);
    put(writer, "{");
    put_text_member(writer, "key", key);
    put_text_member(writer, "name", row->name);
    put_text_member(writer, "op", row->op);
    put_text_member(writer, "target", row->target);
    put_known(writer, "uid", whole_number(row->uid, &uid) ? uid : -1);
    put_key(writer, "time_us");
    put_number(writer, row->time_us);
    put(writer, "}");
}

/* Reads the next row; false at the table's end. */
static bool next_perf_row(struct perf_table *table, struct perf_row *row) {
    char line[LONGEST_ROW + 1];
    while (table->left > 0) {
        const char *begin = table->text, *end = memchr(begin, '\n', table->left);
        size_t size = end == NULL ? table->left : (size_t)(end - begin);
        table->text += size + (end != NULL);
        table->left -= size + (end != NULL);
        if (size > LONGEST_ROW) continue;
        if (table->generation == 1 && read_perf_row(begin, size, row)) return true;
        if (table->generation == 1) continue;
        while (size > 0 && isspace((unsigned char)begin[size - 1])) size--;
        say(line, sizeof line, "%.*s", (int)size, begin);
        if (perf_columns(line) >= 0) table->columns = perf_columns(line);
        else if (read_perf_row_2(line, table->columns, row)) return true;
    }
    return false;
}

/* What a row without a name is called. */
static const char *named(const struct perf_row *row) { return row->name[0] == '\0' ? "layer" : row->name; }

/* Writes the rows of the table as a JSON list; their number. Reads it twice: keys depend on all the names. */
static size_t put_perf_table(struct writer *writer, int generation, const char *text, size_t length) {
    struct keys *keys = calloc(1, sizeof *keys);
    struct perf_table table = {text, length, generation, -1}, again = table;
    struct perf_row row;
    size_t i;
    char key[400];
    put(writer, "[");
    if (keys != NULL) keys->with_ids = generation == 1;
    while (keys != NULL && keys->rows < MOST_ROWS && next_perf_row(&table, &row)) {
        struct row_name *name = &keys->names[keys->rows++];
        name->full = hash_of(named(&row), strlen(named(&row)));
        name->bare = hash_of(named(&row), bare_length(keys, named(&row)));
    }
    if (keys != NULL) count_keys(keys);
    for (i = 0; keys != NULL && i < keys->rows && next_perf_row(&again, &row); i++) {
        key_of(keys, i, named(&row), key, sizeof key);
        put_perf_row(writer, &row, key);
    }
    put(writer, "]");
    free(keys);
    return i;
}

/* Twice, the second execution counts; `total_us` is the run as a whole. A library that gives no table gives a reason. */
static bool rknn_timed(struct rknn *npu, struct writer *writer) {
    struct rknn_perf_detail detail = {NULL, 0};
    double counted, wall = 0;
    size_t length = 0, rows;
    int execution;
    if (!rknn_begin(npu, RKNN_FLAG_PERF)) return false;
    for (execution = 0; execution < 2; execution++)
        if (!rknn_execute(npu, &wall) || !rknn_fetch(npu, false) || !rknn_give_back(npu)) return false;
    if (!rknn_query(npu, RKNN_PERF_DETAIL, &detail, sizeof detail)) return false;
    counted = rknn_counted_us(npu);
    if (detail.text != NULL) length = strnlen(detail.text, detail.length < MAX_TABLE ? (size_t)detail.length : MAX_TABLE);
    put_key(writer, "total_us");
    put_number(writer, counted > 0 ? counted : wall);
    put_key(writer, "layers");
    rows = put_perf_table(writer, npu->place->kind->generation, detail.text == NULL ? "" : detail.text, length);
    if (rows > 0) return true;
    put_text_member(writer, "reason", length == 0 ? "the runtime collected no layer times: its table is empty"
                                                  : "the runtime's table of layer times is not of a known form");
    if (length > 0) (void)write_all(1, detail.text, length < LOG_TAIL ? length : LOG_TAIL);
    return true;
}

/* The library writes its files into the working directory during this one execution; the run gathers them. */
static bool rknn_dump(struct rknn *npu, struct writer *writer) {
    double wall = 0;
    (void)writer;
    return rknn_begin(npu, 0) && rknn_execute_whole(npu, &wall, true);
}

/* ---------------------------------------------------------------- sequence: the same again, another in between, opened anew */

#define MOST_DIFFERING 2000
#define HANG 10 /* so many medians are a hang */

struct check {
    const char *name;
    int64_t runs, differing_count;
    int64_t differing[MOST_DIFFERING];
    double max_difference;
    double *times;
};

/* How far two floats are apart; where one of them is no number, the largest float stands for it, as JSON has none. */
static double difference_of(const char *one, const char *other) {
    float a, b;
    double gap;
    memcpy(&a, one, sizeof a);
    memcpy(&b, other, sizeof b);
    if (memcmp(one, other, sizeof a) == 0) return 0;
    gap = fabs((double)a - (double)b);
    return isfinite(gap) && gap < 3.4028234e38 ? gap : 3.4028234e38;
}

/* Keeps the outputs just fetched in `fd`, or compares them with what it holds: bit for bit, and by the largest difference. */
static bool rknn_same_outputs(struct rknn *npu, int fd, bool is_first, double *difference) {
    char kept[4096];
    bool is_same = true;
    uint32_t i;
    if (lseek(fd, 0, SEEK_SET) != 0) return false;
    for (i = 0; i < npu->counts.outputs; i++) {
        const char *bytes = npu->got[i].bytes;
        size_t left = (size_t)npu->outputs[i].elements * 4;
        if (is_first && !write_all(fd, bytes, left)) fail_errno(&npu->failure, errno, "the first outputs cannot be kept");
        while (!is_first && left > 0) {
            size_t take = left < sizeof kept ? left : sizeof kept, k;
            if (read_all(fd, kept, take) != (ssize_t)take) fail(&npu->failure, "board:npu-failed", "the outputs have another size than before");
            if (failed(&npu->failure)) return false;
            if (memcmp(kept, bytes, take) != 0) is_same = false;
            for (k = 0; k < take && !is_same; k += 4) {
                double gap = difference_of(kept + k, bytes + k);
                if (gap > *difference) *difference = gap;
            }
            bytes += take;
            left -= take;
        }
    }
    return is_same;
}

/* One execution whose outputs are kept in `fd` (`check` NULL), or compared with those. */
static bool rknn_checked_run(struct rknn *npu, struct check *check, int fd) {
    double wall = 0, difference = 0;
    bool is_same;
    if (!rknn_execute(npu, &wall) || !rknn_fetch(npu, false)) return false;
    is_same = rknn_same_outputs(npu, fd, check == NULL, &difference);
    if (!rknn_give_back(npu) || check == NULL || failed(&npu->failure)) return !failed(&npu->failure);
    if (!is_same && check->differing_count < MOST_DIFFERING) check->differing[check->differing_count++] = check->runs;
    if (difference > check->max_difference) check->max_difference = difference;
    check->times[check->runs++] = wall;
    return true;
}

/* Another input of the same kind: integers with inverted bits, floats turned by half their length. */
static bool rknn_make_other(struct rknn *npu, struct rknn_input *others) {
    uint32_t i;
    for (i = 0; i < npu->counts.inputs; i++) {
        const struct rknn_input *input = &npu->given[i];
        const char *from = input->bytes;
        char *to = malloc(input->size);
        size_t half = input->size / 8 * 4, k;
        bool is_float = input->type == RKNN_FLOAT32 || input->type == RKNN_FLOAT16;
        others[i] = *input;
        others[i].bytes = to;
        if (to == NULL) {
            fail(&npu->failure, "board:no-memory", "no memory for a second input");
            return false;
        }
        for (k = 0; k < input->size; k++) to[k] = is_float ? from[(k + half) % input->size] : (char)~from[k];
    }
    return true;
}

static void swap_inputs(struct rknn *npu, struct rknn_input *others) {
    uint32_t i;
    for (i = 0; i < npu->counts.inputs; i++) {
        struct rknn_input one = npu->given[i];
        npu->given[i] = others[i];
        others[i] = one;
    }
}

static int by_size(const void *a, const void *b) {
    const double *one = a, *other = b;
    return (*one > *other) - (*one < *other);
}

static void put_check(struct writer *writer, struct check *check) {
    double median;
    int64_t i, hangs = 0;
    qsort(check->times, (size_t)check->runs, sizeof *check->times, by_size);
    median = check->times[check->runs / 2];
    for (i = 0; i < check->runs; i++) hangs += check->times[i] > HANG * median;
    put_next(writer);
    put(writer, "{");
    put_text_member(writer, "name", check->name);
    put_whole_member(writer, "runs", check->runs);
    put_key(writer, "differing");
    put(writer, "[");
    for (i = 0; i < check->differing_count; i++) {
        put_next(writer);
        put_whole(writer, check->differing[i]);
    }
    put(writer, "]");
    put_key(writer, "max_difference");
    put_number(writer, check->max_difference);
    put_whole_member(writer, "hangs", hangs);
    put_key(writer, "median_us");
    put_number(writer, median);
    put(writer, "}");
}

static struct check *check_begin(struct check *check, const char *name) {
    check->name = name;
    check->runs = check->differing_count = 0;
    check->max_difference = 0;
    return check;
}

/* A file without a name in the mode's folder. */
static int nameless_file(const char *out) {
    char path[PATH_SIZE];
    int fd = join(path, out, "kept.XXXXXX") ? mkostemp(path, O_CLOEXEC) : -1;
    if (fd >= 0) (void)unlink(path);
    return fd;
}

/* The three checks of the contract; `kept`: where the first outputs of either input are. */
static bool rknn_checks(struct rknn *npu, struct writer *writer, struct check *check, const int kept[2]) {
    static struct rknn_input others[MAX_TENSORS];
    const struct job *job = npu->place->job;
    int64_t i;
    bool is_good;
    if (!rknn_checked_run(npu, NULL, kept[0])) return false;
    (void)check_begin(check, "same-input");
    for (i = 0; i < job->repeats; i++)
        if (!rknn_checked_run(npu, check, kept[0])) return false;
    put_check(writer, check);
    if (job->second[0] == '\0' ? !rknn_make_other(npu, others) : !rknn_take_inputs(npu, job->second, others)) return false;
    swap_inputs(npu, others);
    is_good = rknn_checked_run(npu, NULL, kept[1]);
    swap_inputs(npu, others);
    (void)check_begin(check, "alternating");
    for (i = 0; i < 2 * job->repeats && is_good; i++) {
        if (i % 2 == 1) swap_inputs(npu, others);
        is_good = rknn_checked_run(npu, check, kept[i % 2]);
        if (i % 2 == 1) swap_inputs(npu, others);
    }
    if (!is_good) return false;
    put_check(writer, check);
    (void)check_begin(check, "reload");
    for (i = 0; i < job->reloads; i++) {
        rknn_close(npu);
        if (!rknn_open(npu, 0) || !rknn_checked_run(npu, check, kept[0])) return false;
    }
    put_check(writer, check);
    return true;
}

static bool rknn_sequence(struct rknn *npu, struct writer *writer) {
    static struct check check;
    const struct job *job = npu->place->job;
    int kept[2] = {nameless_file(npu->place->out), nameless_file(npu->place->out)};
    bool is_good = false;
    check.times = calloc((size_t)(2 * job->repeats > job->reloads ? 2 * job->repeats : job->reloads), sizeof *check.times);
    if (kept[0] < 0 || kept[1] < 0 || check.times == NULL) fail_errno(&npu->failure, errno, "nothing can be kept for comparison");
    else if (rknn_begin(npu, 0)) {
        put_key(writer, "checks");
        put(writer, "[");
        is_good = rknn_checks(npu, writer, &check, kept);
        put(writer, "]");
    }
    free(check.times);
    return is_good;
}

/* ---------------------------------------------------------------- the child of the kinds rknn1 and rknn2 */

/* A library that calls itself simulated is no board's: the stand-in of the tests does. */
static void put_rknn_about(struct writer *writer, struct rknn *npu) {
    put_key(writer, "npu");
    put(writer, "{\"simulated\":");
    put(writer, strcasestr(npu->version.api, "simulated") == NULL ? "false" : "true");
    put_text_member(writer, "npu", npu->version.api);
    put_text_member(writer, "npu_driver", npu->version.driver);
    put(writer, "}");
}

/* Loading is all that a probe wants. */
static bool rknn_probe(struct rknn *npu) {
    npu->context = 0;
    rknn_ask_version(npu);
    return true;
}

static bool rknn_mode(struct rknn *npu, struct writer *writer) {
    const char *mode = npu->place->mode;
    if (strcmp(mode, "probe") == 0) return rknn_probe(npu);
    if (strcmp(mode, "plain") == 0) return rknn_plain(npu, writer);
    if (strcmp(mode, "timed") == 0) return rknn_timed(npu, writer);
    if (strcmp(mode, "dump") == 0) return rknn_dump(npu, writer);
    return rknn_sequence(npu, writer);
}

/* The last printed line in which the library names both platforms, added to the reason for refusing the artifact. */
static void add_vendors_reason(struct failure *failure, const char *out) {
    char tail[LOG_TAIL + 1], *line, *save = NULL, said[400] = "";
    size_t length = strlen(failure->message);
    if (strcmp(failure->code, "board:rejected-artifact") != 0) return;
    (void)fflush(NULL);
    read_tail(out, "log", tail, sizeof tail);
    for (line = strtok_r(tail, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save))
        if (strstr(line, "rknn model target platform") != NULL) say(said, sizeof said, "%s", line);
    if (said[0] != '\0') say(failure->message + length, sizeof failure->message - length, ": %s", said);
}

/* Executes one mode and writes its report; returns only to say that it could not. */
static void rknn_act(const struct place *place) {
    static struct rknn npu;
    static struct report report;
    npu.place = place;
    (void)close(place->trouble); /* the run reads on when this is closed */
    (void)setvbuf(stdout, NULL, _IOLBF, 0); /* last words shall survive a kill */
    if (!report_begin(&report, place->out)) _exit(1);
    if (!begin_signs(place->progress)) fail(&npu.failure, "board:no-memory", "no thread can be started");
    else if (rknn_load(&npu) && rknn_mode(&npu, &report.writer)) put_rknn_about(&report.writer, &npu);
    if (failed(&npu.failure)) { /* what was written until then does not count */
        add_vendors_reason(&npu.failure, place->out);
        (void)close(report.fd);
        if (!report_begin(&report, place->out)) _exit(1);
        put_key(&report.writer, "error");
        put_error(&report.writer, &npu.failure);
    }
    rknn_close(&npu);
    (void)fflush(NULL);
    _exit(report_end(&report) ? 0 : 1); /* without the library's handlers, which may hang */
}

/* Without its device the library ends the whole process with status 1 instead of returning a code. Nothing of ours ends a
 * child by SIGKILL and then asks here: that signal is the kernel's, for want of memory. */
static const char *rknn_failure_of(int status, const char *tail) {
    static const char *const words[] = {"bad_alloc", "ut of memory", "Cannot allocate memory"};
    size_t i;
    for (i = 0; i < COUNT_OF(words); i++)
        if (strstr(tail, words[i]) != NULL) return "board:no-memory";
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? "board:no-memory" : "board:npu-exited";
}

/* NodeID_<number>_<kernel>_..._out_0.txt */
static bool rknn1_is_layer(const char *name) {
    size_t digits = strncmp(name, "NodeID_", 7) == 0 ? strspn(name + 7, "0123456789") : 0, length = strlen(name);
    return digits > 0 && name[7 + digits] == '_' && strcmp(name + length - 4, ".txt") == 0;
}

/* <number>_<operator>_<name>_shape_<sides>_<type>.npy */
static bool rknn2_is_layer(const char *name) {
    size_t digits = strspn(name, "0123456789"), length = strlen(name);
    return digits > 0 && name[digits] == '_' && strstr(name + digits + 1, "_shape_") != NULL && strcmp(name + length - 4, ".npy") == 0;
}

/* OpenVX reads this once, when its first context is made, and a dumping run is no normal run. */
static void rknn1_prepare(const struct place *place) {
    (void)setenv("NN_LAYER_DUMP", strcmp(place->mode, "dump") == 0 ? "1" : "0", 1);
}

/* Level 5 dumps layers. That librknnrt does so inside any process NEEDS A BOARD; where it writes nothing the dump says so. */
static void rknn2_prepare(const struct place *place) {
    bool dumps = strcmp(place->mode, "dump") == 0;
    (void)setenv("RKNN_LOG_LEVEL", dumps ? "5" : "0", 1);
    if (!dumps) return;
    (void)setenv("RKNN_DUMP_QUANT", "0", 1);
    (void)setenv("RKNN_DUMP_DIR", place->out, 1);
}

static void sim_prepare(const struct place *place) { (void)place; }

/* ---------------------------------------------------------------- the kinds */

static const struct kind KINDS[] = {
    {"rknn1", 1, rknn_is_here, rknn1_prepare, rknn_act, rknn_failure_of, rknn1_is_layer,
     "the runtime wrote no layer: the artifact is precompiled, and a precompiled one can be dumped only when NN_LAYER_DUMP was set while it "
     "was made",
     true, {"librknn_api.so", "librknn_runtime.so"}},
    {"rknn2", 2, rknn_is_here, rknn2_prepare, rknn_act, rknn_failure_of, rknn2_is_layer,
     "the runtime wrote no layer files; not every version of librknnrt dumps in a process of its own", true, {"librknnrt.so", NULL}},
    {"sim", 0, sim_is_here, sim_prepare, sim_act, sim_failure_of, NULL, NULL, false, {NULL, NULL}},
};

static const struct kind *find_kind(const char *name) {
    size_t i;
    for (i = 0; i < COUNT_OF(KINDS); i++)
        if (strcmp(KINDS[i].name, name) == 0) return &KINDS[i];
    return NULL;
}

/* ---------------------------------------------------------------- a throw-away child: own session, own folder, dead with its parent */

static volatile sig_atomic_t asked_to_end = 0;

static void on_end_signal(int number) { asked_to_end = number; }

static void close_from(int first, int kept) {
    int fd, most = (int)sysconf(_SC_OPEN_MAX);
    for (fd = first; fd < (most > 0 && most < 65536 ? most : 65536); fd++)
        if (fd != kept) (void)close(fd);
}

/* Standard input from nowhere, both outputs to the end of a file. */
static bool redirect(const char *log) {
    int in = open("/dev/null", O_RDONLY), out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    return in >= 0 && out >= 0 && dup2(in, 0) == 0 && dup2(out, 1) == 1 && dup2(out, 2) == 2;
}

static void child_prepare(const struct place *place, pid_t parent) {
    char log[PATH_SIZE];
    sigset_t none;
    (void)setsid();
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent) _exit(1); /* it died before that was set */
    (void)signal(SIGPIPE, SIG_DFL);
    (void)signal(SIGHUP, SIG_DFL);
    (void)signal(SIGTERM, SIG_DFL);
    (void)signal(SIGINT, SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (!join(log, place->out, "log") || !redirect(log) || chdir(place->out) != 0) return;
    close_from(3, place->trouble);
    (void)setenv("HOME", place->out, 1);
    (void)setenv("TMPDIR", place->out, 1);
    (void)setenv("PWD", place->out, 1);
    place->kind->prepare(place);
    errno = 0;
}

/* Starts the child of a place; its pid, or -1 with errno saying why it does not start. */
static pid_t child_start(struct place *place) {
    int ends[2], trouble = 0;
    struct pollfd word = {-1, POLLIN, 0};
    pid_t parent = getpid(), child;
    if (pipe2(ends, O_CLOEXEC) != 0) return -1;
    word.fd = ends[0];
    child = fork();
    if (child == 0) {
        place->trouble = ends[1];
        child_prepare(place, parent);
        if (errno == 0) place->kind->act(place);
        trouble = errno == 0 ? EINVAL : errno;
        (void)write_all(ends[1], &trouble, sizeof trouble);
        _exit(127);
    }
    (void)close(ends[1]);
    if (child > 0 && (poll(&word, 1, SILENCE_MS) <= 0 || read_all(ends[0], &trouble, sizeof trouble) != (ssize_t)sizeof trouble))
        trouble = 0; /* it begins; or it is stopped already, which is seen soon enough */
    (void)close(ends[0]);
    if (child > 0 && trouble != 0) {
        (void)waitpid(child, NULL, 0);
        errno = trouble;
        return -1;
    }
    return child;
}

/* Waits for the child for at most `ms`; true when it has ended, `*status` then says how. SIGCHLD is blocked. */
static bool child_has_ended(pid_t child, int ms, int *status) {
    struct timespec patience = {ms / 1000, (long)(ms % 1000) * 1000000};
    sigset_t wanted;
    pid_t ended = waitpid(child, status, WNOHANG);
    if (ended == child || (ended < 0 && errno == ECHILD)) return true;
    (void)sigemptyset(&wanted);
    (void)sigaddset(&wanted, SIGCHLD);
    (void)sigtimedwait(&wanted, NULL, &patience);
    return waitpid(child, status, WNOHANG) == child;
}

static void block_sigchld(void) {
    sigset_t wanted;
    (void)sigemptyset(&wanted);
    (void)sigaddset(&wanted, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &wanted, NULL);
}

/* Kills the child's group: grandchildren too, also after a normal end. What is stuck in a driver does not even die: that is
 * left to the next `clean`. */
static void child_end(pid_t child, bool has_ended) {
    int64_t until = now_ms() + 5000;
    int status;
    (void)kill(-child, SIGKILL);
    while (!has_ended && now_ms() < until) has_ended = child_has_ended(child, 100, &status);
}

/* ---------------------------------------------------------------- the run: its journal */

#define JOURNAL "journal.jsonl"
#define RESULT "result.json"
#define JOURNAL_ROOM 64 /* bytes that an entry may grow by when it is sent */

struct run {
    const char *root, *folder;
    struct job job;
    const struct kind *kind;
    struct progress *progress;
    struct failure failure;
    bool is_forsaken;
    int journal;
    int64_t until_ms, seen_ms, looked_ms, gathered_ms;
    const char *mode;
    char out[PATH_SIZE];
    pid_t child; /* 0: none runs */
    struct listener listener;
    int file_count, layer_count;
    char outputs_name[NAME_SIZE], dump_name[NAME_SIZE], names_name[NAME_SIZE];
    struct writer result;
    char result_bytes[8192];
    struct writer about; /* what the NPU says of itself: members of the fingerprint */
    char about_bytes[16384];
    struct writer clocking; /* how fixing the clocks went, too */
    char clocking_bytes[16384];
    bool about_is_of_this_mode, about_tells_simulated;
};

/* What a message of ours is made in, before it is written in one piece. */
static char line_bytes[MAX_LINE];

static struct writer line_begin(const char *event) {
    struct writer line;
    writer_begin(&line, -1, line_bytes, sizeof line_bytes - JOURNAL_ROOM);
    put(&line, "{");
    put_text_member(&line, "event", event);
    return line;
}

/* Adds the entry; half an entry is taken back, so that another one can follow. */
static bool journal_add(struct run *run, struct writer *line) {
    off_t end = lseek(run->journal, 0, SEEK_END);
    ssize_t written;
    put(line, "}\n");
    if (line->is_broken) {
        errno = EMSGSIZE;
        return false;
    }
    do written = write(run->journal, line->bytes, line->used);
    while (written < 0 && errno == EINTR);
    if (written == (ssize_t)line->used) return true;
    if (written >= 0) {
        (void)ftruncate(run->journal, end);
        errno = ENOSPC;
    }
    return false;
}

static void run_fail_errno(struct run *run, const char *what) { fail_errno(&run->failure, errno, what); }

/* A text in entries of at most 2000 characters. */
static void journal_log(struct run *run, const char *text) {
    size_t left = strlen(text);
    while (left > 0) {
        struct writer line = line_begin("log");
        size_t taken = 0, characters;
        for (characters = 0; taken < left && characters < 2000; characters++) {
            uint32_t code;
            size_t length = utf8_length(text + taken, left - taken, &code);
            taken += length > 0 ? length : 1;
        }
        put_key(&line, "text");
        put_text_n(&line, text, taken, SIZE_MAX);
        if (!journal_add(run, &line)) run_fail_errno(run, "the journal cannot be written");
        text += taken;
        left -= taken;
    }
}

/* Whether nobody holds the lock `name` of the folder. */
static bool is_free(const char *folder, const char *name) {
    char path[PATH_SIZE];
    int fd = join(path, folder, name) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    bool is_free = fd < 0 ? errno == ENOENT : flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (fd >= 0) (void)close(fd);
    return is_free;
}

static bool is_in_call(const struct run *run) { return run->progress->call[0] != '\0'; }

/* How long a call into the vendor's library may take: a model that is not precompiled has been seen to load for 100 s, a
 * dumping run to take 80 s; and no single call gets more than the job's hang_s, else nine tenths of the whole run's time. */
static int64_t call_limit_ms(const struct run *run) {
    double share = run->job.hang_s > 0 ? 1000 * run->job.hang_s : 900 * (run->job.deadline_s > 0 ? run->job.deadline_s : 300);
    double limit = strcmp((const char *)run->progress->call, "rknn_init") == 0 ? 240000 : 180000;
    return (int64_t)(limit < share ? limit : share);
}

/* On a full disk, what a child or its library wrote cannot be trusted: they rarely look whether it was kept. */
static void check_room(struct run *run) {
    if (free_bytes(run->folder) < 1024 * 1024) fail(&run->failure, "board:disk-full", "%s filled the disk", run->mode);
}

/* Whether the run may go on: its deadline, somebody who wants the result, room on the disk, nobody who asks it to end. */
static bool run_may_go_on(struct run *run) {
    int64_t now = now_ms(), in_call_ms = now - run->progress->since_ms;
    if (failed(&run->failure) || run->is_forsaken) return false;
    if (asked_to_end) { /* the child dies with us */
        restore_clocks(run->root);
        _exit(128 + asked_to_end);
    }
    if (is_in_call(run) && in_call_ms > call_limit_ms(run))
        fail(&run->failure, "board:npu-hung", "%s: %.20s did not come back within %" PRId64 " s", run->mode, (const char *)run->progress->call,
             in_call_ms / 1000);
    else if (run->child > 0 && run->kind->gives_signs && is_silent(&run->listener, run->progress, run->child))
        fail(&run->failure, "board:npu-hung", "%s: no sign of life for %" PRId64 " s, %s", run->mode, run->listener.silent_ms / 1000,
             state_words(run->child));
    else if (now >= run->until_ms) fail(&run->failure, "board:timed-out", "%s did not end in time", run->mode);
    if (failed(&run->failure)) {
        read_tail(run->out, "log", run->failure.detail, sizeof run->failure.detail);
        return false;
    }
    if (now < run->looked_ms + 500) return true;
    run->looked_ms = now;
    if (!is_free(run->folder, "attached")) run->seen_ms = now;
    run->is_forsaken = (double)(now - run->seen_ms) > run->job.orphan_s * 1000;
    check_room(run);
    return !failed(&run->failure) && !run->is_forsaken;
}

/* Hashes a file of the run's folder, which does not change any more, and writes its entry. */
static bool announce(struct run *run, const char *name, const char *role, const char *label) {
    struct digest digest;
    static unsigned char bytes[65536];
    struct writer line;
    char path[PATH_SIZE], hex[65];
    int fd = join(path, run->folder, name) ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    ssize_t got = -1;
    digest_begin(&digest, false);
    while (fd >= 0 && (got = read_all(fd, bytes, sizeof bytes)) > 0) {
        digest_add(&digest, bytes, (size_t)got);
        if (strcmp(role, "result") != 0 && !run_may_go_on(run)) break;
    }
    if (got < 0) run_fail_errno(run, name);
    if (fd >= 0) (void)close(fd);
    if (got != 0) return false;
    line = line_begin("file");
    put_text_member(&line, "name", name);
    put_whole_member(&line, "bytes", (int64_t)digest.length);
    digest_end(&digest, hex);
    put_text_member(&line, "sha256", hex);
    put_text_member(&line, "role", role);
    put_key(&line, "label");
    put_text_n(&line, label, strlen(label), 400);
    if (journal_add(run, &line)) return true;
    run_fail_errno(run, "the journal cannot be written");
    return false;
}

/* ---------------------------------------------------------------- the run: gathering what a mode left */

/* ".txt" of "a.b.txt"; empty where it is none of up to twelve letters and digits. */
static const char *suffix_of(const char *name) {
    const char *suffix = strrchr(name, '.');
    size_t length = suffix == NULL ? 0 : strlen(suffix + 1), i;
    if (length == 0 || length > 12) return "";
    for (i = 1; i <= length; i++)
        if (!isalnum((unsigned char)suffix[i])) return "";
    return suffix;
}

/* Moves a file of the mode's folder to the run's under a plain name, which `name` (NAME_SIZE) then holds, and announces it.
 * What is no regular file is left alone: a link may lead anywhere. */
static bool gather_file(struct run *run, const char *label, const char *role, char *name) {
    char from[PATH_SIZE], to[PATH_SIZE];
    struct stat about;
    if (!join(from, run->out, label) || lstat(from, &about) != 0 || !S_ISREG(about.st_mode)) return false;
    say(name, NAME_SIZE, "%s-%05d%s", run->mode, run->file_count, suffix_of(label));
    if (!join(to, run->folder, name) || rename(from, to) != 0) {
        run_fail_errno(run, label);
        return false;
    }
    run->file_count++;
    return announce(run, name, role, label);
}

/* Whether the child has this file open; when that cannot be seen, it may have. */
static bool is_open_in(pid_t pid, const struct stat *file) {
    char path[64];
    DIR *folder;
    struct dirent *entry;
    bool is_open = false;
    say(path, sizeof path, "/proc/%ld/fd", (long)pid);
    folder = opendir(path);
    if (folder == NULL) return true;
    while (!is_open && (entry = readdir(folder)) != NULL) {
        struct stat about;
        if (entry->d_name[0] != '.' && fstatat(dirfd(folder), entry->d_name, &about, 0) == 0)
            is_open = about.st_dev == file->st_dev && about.st_ino == file->st_ino;
    }
    (void)closedir(folder);
    return is_open;
}

#define NAMES_FILE "NodeID_To_LayerName.txt"
#define GATHERED 256 /* files that are taken at a time */

static int by_name(const void *a, const void *b) { return strverscmp(a, b); }

/* Names of layer files that are complete by now, in the order of their numbers; how many there are. The library opens each
 * once, writes it and closes it: what the child has not open (any more) is complete. */
static size_t complete_layers(struct run *run, bool has_ended, char names[GATHERED][256]) {
    DIR *folder = opendir(run->out);
    struct dirent *entry;
    size_t count = 0;
    while (folder != NULL && count < GATHERED && (entry = readdir(folder)) != NULL) {
        struct stat about;
        if (!run->kind->is_layer(entry->d_name)) continue;
        if (fstatat(dirfd(folder), entry->d_name, &about, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(about.st_mode)) continue;
        if (!has_ended && (about.st_size == 0 || is_open_in(run->child, &about))) continue;
        say(names[count++], 256, "%s", entry->d_name);
    }
    if (folder != NULL) (void)closedir(folder);
    qsort(names, count, sizeof names[0], by_name);
    return count;
}

/* Takes complete layer files while the child goes on; each becomes an item of the list that `result` is in the middle of. */
static void gather_layers(struct run *run, bool has_ended) {
    static char names[GATHERED][256];
    size_t count, i;
    do {
        count = complete_layers(run, has_ended, names);
        for (i = 0; i < count && run_may_go_on(run); i++) {
            char name[NAME_SIZE];
            if (!gather_file(run, names[i], "layer", name)) continue;
            run->layer_count++;
            put_next(&run->result);
            put(&run->result, "{");
            put_text_member(&run->result, "name", name);
            put_text_member(&run->result, "label", names[i]);
            put(&run->result, "}");
        }
    } while (has_ended && count == GATHERED && !failed(&run->failure) && !run->is_forsaken);
}

/* ---------------------------------------------------------------- the run: one mode */

static const char *const NOT_COPIED[] = {"outputs", "dump", "file", "files", "names", "dumped", "format", "npu", "error"};
static const char *const FINGERPRINT_KEYS[] = {
    "kernel", "machine", "python", "agent", "board", "compatible", "driver", "driver_line", "libraries", "builds", "clocks",
    "temperature_mc", "temperatures_mc", "load", "clocks_fixed", "clocks_refused",
    "mem_total_kb", "mem_available_kb", "disk_free_bytes", "uptime_s", "boot_id", "unix_time", "byteorder"};

static bool is_listed(const char *word, const char *const *list, size_t count) {
    size_t i;
    for (i = 0; i < count; i++)
        if (strcmp(word, list[i]) == 0) return true;
    return false;
}

/* Where a member of report.json goes: into the result, or (members of `npu`) into the fingerprint. */
static struct writer *report_copy_to(struct json *json, int level) {
    struct run *run = json->context;
    const char *key = json->key[level];
    if (json->key_is_cut[level]) return NULL;
    if (level == 1) {
        if (is_listed(key, NOT_COPIED, COUNT_OF(NOT_COPIED))) return NULL;
        put_key(&run->result, key);
        return &run->result;
    }
    if (level != 2 || strcmp(json->key[1], "npu") != 0 || is_listed(key, FINGERPRINT_KEYS, COUNT_OF(FINGERPRINT_KEYS))) return NULL;
    if (!run->about_is_of_this_mode) { /* the latest word counts */
        writer_begin(&run->about, -1, run->about_bytes, sizeof run->about_bytes);
        run->about_is_of_this_mode = true;
        run->about_tells_simulated = false;
    }
    if (strcmp(key, "simulated") == 0) run->about_tells_simulated = true;
    put_key(&run->about, key);
    return &run->about;
}

static void report_found(struct json *json, int level, enum json_type type) {
    struct run *run = json->context;
    struct failure *failure = &run->failure;
    if (is_member(json, level, "error")) say(failure->code, sizeof failure->code, "None");
    if (type != JSON_TEXT) return;
    if (is_inner(json, level, "error", "code")) say(failure->code, sizeof failure->code, "%s", json->text);
    if (is_inner(json, level, "error", "message"))
        say(failure->message, sizeof failure->message, "%s: %s", run->mode, json->text);
    if (is_inner(json, level, "error", "detail")) say(failure->detail, sizeof failure->detail, "%s", json->text);
}

/* Reads what the child says of its mode into result and fingerprint; fails the run when it says nothing, or an error. */
static void read_report(struct run *run, int status, const char *tail) {
    static struct json json;
    char path[PATH_SIZE], reason[200] = "no report.json";
    int fd = join(path, run->out, "report.json") ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    bool is_read = false;
    json.found = report_found;
    json.copy_to = report_copy_to;
    json.context = run;
    run->about_is_of_this_mode = false;
    if (fd >= 0) {
        is_read = json_read(&json, fd, NULL, MAX_RESULT);
        say(reason, sizeof reason, "%s", json.problem);
        (void)close(fd);
    }
    if (!is_read) {
        run->failure.code[0] = '\0';
        fail(&run->failure, run->kind->failure_of(status, tail), "%s ended with %s %d: %s", run->mode,
             WIFSIGNALED(status) ? "signal" : "status", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), reason);
    }
    if (run->about.is_broken) fail(&run->failure, "board:npu-failed", "%s: it says too much of its NPU", run->mode);
    if (failed(&run->failure) && run->failure.detail[0] == '\0')
        say(run->failure.detail, sizeof run->failure.detail, "%s", tail);
}

/* What a child that hangs reported itself, before it fell silent, says more than the silence. */
static void prefer_reported(struct run *run) {
    static struct json json;
    static struct failure hung;
    char path[PATH_SIZE];
    int fd;
    if (strcmp(run->failure.code, "board:npu-hung") != 0) return;
    fd = join(path, run->out, "report.json") ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (fd < 0) return;
    hung = run->failure;
    memset(&run->failure, 0, sizeof run->failure);
    json.found = report_found;
    json.copy_to = NULL;
    json.context = run;
    if (!json_read(&json, fd, NULL, MAX_RESULT) || !failed(&run->failure)) run->failure = hung;
    else if (run->failure.detail[0] == '\0') say(run->failure.detail, sizeof run->failure.detail, "%s", hung.detail);
    (void)close(fd);
}

/* Keeps a vendor's library that never stops talking from filling the disk: its log is begun anew. */
static void shorten_log(struct run *run) {
    char path[PATH_SIZE];
    struct stat about;
    if (join(path, run->out, "log") && stat(path, &about) == 0 && about.st_size > 16 * 1024 * 1024) (void)truncate(path, 0);
}

/* Watches the child until it has ended; false when the run is over for another reason. */
static bool watch_child(struct run *run, int *status) {
    bool gathers = run->kind->is_layer != NULL && strcmp(run->mode, "dump") == 0;
    while (!child_has_ended(run->child, 100, status)) {
        if (!run_may_go_on(run)) return false;
        if (now_ms() < run->gathered_ms + 200) continue; /* not each time: looking takes time from what is measured */
        run->gathered_ms = now_ms();
        shorten_log(run);
        if (gathers) gather_layers(run, false);
    }
    return true;
}

/* The members that tell of the mode's files, by the names that these have by now. */
static void put_files(struct run *run) {
    char name[NAME_SIZE];
    if (strcmp(run->mode, "plain") == 0) {
        bool is_here = gather_file(run, "outputs.safetensors", "outputs", name);
        put_text_member(&run->result, "outputs", is_here ? name : NULL);
    }
    if (strcmp(run->mode, "dump") == 0 && run->kind->is_layer == NULL) {
        bool is_here = gather_file(run, "layers.safetensors", "dump", name);
        put_text_member(&run->result, "format", "dump/1");
        put_text_member(&run->result, "file", is_here ? name : NULL);
    }
}

/* The end of the list of layer files, which stands before everything else in the mode's part of the result. */
static void end_layers(struct run *run) {
    char name[NAME_SIZE], outputs[NAME_SIZE];
    bool is_here;
    gather_layers(run, true);
    put(&run->result, "]");
    is_here = !failed(&run->failure) && !run->is_forsaken && gather_file(run, NAMES_FILE, "names", name);
    if (!failed(&run->failure) && !run->is_forsaken && gather_file(run, "outputs.safetensors", "outputs", outputs))
        put_text_member(&run->result, "outputs", outputs);
    put_text_member(&run->result, "names", is_here ? name : NULL);
    put_key(&run->result, "dumped");
    put(&run->result, run->layer_count > 0 ? "true" : "false");
    if (run->layer_count == 0) put_text_member(&run->result, "reason", run->kind->not_dumped);
}

/* Executes one mode in its own child and adds its part to the result. */
static void run_mode(struct run *run) {
    struct place place = {&run->job, run->mode, run->folder, run->out, run->progress, run->kind, -1};
    char tail[LOG_TAIL + 1];
    int status = 0;
    bool is_dump = run->kind->is_layer != NULL && strcmp(run->mode, "dump") == 0, has_ended;
    run->file_count = run->layer_count = 0;
    run->progress->call[0] = '\0';
    if (!join(run->out, run->folder, run->mode) || mkdir(run->out, 0700) != 0) {
        run_fail_errno(run, run->mode);
        return;
    }
    put_key(&run->result, run->mode);
    put(&run->result, is_dump ? "{\"format\":\"nn-layer-dump\",\"files\":[" : "{");
    listener_begin(&run->listener);
    run->child = child_start(&place);
    if (run->child < 0) {
        fail(&run->failure, "board:npu-failed", "the NPU program does not start: %s", strerror(errno));
        run->child = 0;
        return;
    }
    if (!record_process(run->folder, run->child)) run_fail_errno(run, "pids cannot be written");
    has_ended = watch_child(run, &status);
    child_end(run->child, has_ended);
    run->child = 0;
    run->progress->call[0] = '\0';
    if (!has_ended) {
        prefer_reported(run);
        return;
    }
    check_room(run);
    if (failed(&run->failure)) return;
    read_tail(run->out, "log", tail, sizeof tail);
    journal_log(run, tail);
    if (is_dump) end_layers(run);
    if (!failed(&run->failure) && !run->is_forsaken) read_report(run, status, tail);
    if (!failed(&run->failure) && !run->is_forsaken) put_files(run);
    put(&run->result, "}");
    remove_tree(AT_FDCWD, run->out, 0);
}

/* ---------------------------------------------------------------- the run: from job.json to result.json */

static void put_state(struct run *run, const char *key, const char *state, size_t length) {
    put_key(&run->result, key);
    put(&run->result, "{");
    put_bytes(&run->result, state, length);
    put_next(&run->result);
    put_bytes(&run->result, run->clocking.bytes, run->clocking.used);
    if (!run->about_tells_simulated) {
        put_key(&run->result, "simulated");
        put(&run->result, "false");
    }
    if (run->about.used > 0) {
        put_next(&run->result);
        put_bytes(&run->result, run->about.bytes, run->about.used);
    }
    put(&run->result, "}");
}

/* The board's state as members of a JSON object; its length. */
static size_t take_state(const char *folder, char *state, size_t size) {
    struct writer writer;
    writer_begin(&writer, -1, state, size);
    put_fingerprint(&writer, folder);
    return writer.is_broken ? 0 : writer.used;
}

static void check_disk(struct run *run) {
    const char *const names[] = {run->job.artifact, run->job.inputs};
    int64_t needed = run->job.disk_bytes, arrived = 0, available = free_bytes(run->folder);
    char path[PATH_SIZE];
    struct stat about;
    size_t i;
    for (i = 0; i < COUNT_OF(names); i++) {
        if (!join(path, run->folder, names[i]) || stat(path, &about) != 0) run_fail_errno(run, names[i]);
        else arrived += about.st_size;
    }
    if (needed == 0) needed = 4 * arrived + 16 * 1024 * 1024;
    if (available < needed) fail(&run->failure, "board:disk-full", "%" PRId64 " bytes free, %" PRId64 " needed", available, needed);
}

static void run_modes(struct run *run) {
    static char before[49152], after[49152];
    size_t length = take_state(run->folder, before, sizeof before);
    int done;
    for (done = 0; done < run->job.mode_count && run_may_go_on(run); done++) {
        struct writer line = line_begin("stage");
        run->mode = MODE_NAMES[run->job.modes[done]];
        put_text_member(&line, "name", run->mode);
        put_whole_member(&line, "done", done);
        put_whole_member(&line, "total", run->job.mode_count);
        if (!journal_add(run, &line)) run_fail_errno(run, "the journal cannot be written");
        else run_mode(run);
    }
    put_key(&run->result, "fingerprint");
    put(&run->result, "{");
    put_state(run, "before", before, length);
    put_state(run, "after", after, take_state(run->folder, after, sizeof after));
    put(&run->result, "}");
}

static bool result_begin(struct run *run, const char *part) {
    int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    writer_begin(&run->result, fd, run->result_bytes, sizeof run->result_bytes);
    put(&run->result, "{");
    return fd >= 0;
}

static bool result_end(struct run *run, const char *part) {
    char path[PATH_SIZE];
    bool is_good;
    put(&run->result, "}");
    is_good = writer_flush(&run->result) && fsync(run->result.fd) == 0;
    if (!is_good) errno = run->result.error != 0 ? run->result.error : errno;
    if (run->result.fd >= 0) (void)close(run->result.fd);
    return is_good && join(path, run->folder, RESULT) && rename(part, path) == 0;
}

/* Deletes the folder's files but those that tell what happened; the mode's folders too. */
static void remove_files(const char *folder, bool with_gathered) {
    static const char *const kept[] = {".", "..", "agent.log", JOURNAL, "job.json", "pids", "running", "attached", "starting"};
    DIR *files = opendir(folder);
    struct dirent *entry;
    while (files != NULL && (entry = readdir(files)) != NULL) {
        bool is_gathered = strchr(entry->d_name, '-') != NULL;
        if (is_listed(entry->d_name, kept, COUNT_OF(kept)) || (is_gathered && !with_gathered)) continue;
        if (unlinkat(dirfd(files), entry->d_name, 0) != 0) remove_tree(dirfd(files), entry->d_name, 0);
    }
    if (files != NULL) (void)closedir(files);
}

/* Writes the result and the journal's last entries. A full disk is made emptier first: the failure has to be told. */
static bool tell_end(struct run *run, const char *part) {
    struct writer line;
    bool is_good = !failed(&run->failure) && result_end(run, part);
    if (!is_good) {
        if (!failed(&run->failure)) run_fail_errno(run, "the result cannot be written");
        if (strcmp(run->failure.code, "board:disk-full") == 0) remove_files(run->folder, false);
        if (!result_begin(run, part)) return false;
        put_key(&run->result, "error");
        put_error(&run->result, &run->failure);
        if (!result_end(run, part)) return false;
    }
    run->failure.code[0] = '\0';
    if (!announce(run, RESULT, "result", "")) return false;
    line = line_begin("end");
    return journal_add(run, &line);
}

/* Holds the board and does the modes; what goes wrong is in run->failure. */
static void carry_out(struct run *run) {
    struct ended ended;
    int lock = -1;
    check_disk(run);
    if (failed(&run->failure)) return;
    end_leftovers(run->root, run->job.fence - 1, &ended);
    lock = lock_file(run->root, "agent.lock", LOCK_EX, 5000);
    run->kind = find_kind(run->job.npu);
    if (lock < 0) fail(&run->failure, "board:agent-died", "another run holds this board");
    else if (run->kind == NULL || !run->kind->is_here(run->kind))
        fail(&run->failure, "board:npu-unavailable", "this board has no NPU of kind %s", run->job.npu);
    else {
        fix_clocks(run->root, run->job.fix_clocks, &run->clocking);
        run_modes(run);
        restore_clocks(run->root);
    }
    if (lock >= 0) (void)close(lock);
}

/* The run's own process, to its exit status. It tells `ready` (a pipe) when its journal can be read. */
static int run_live(const char *root, const char *folder, int ready) {
    static struct run run;
    char problem[300], part[PATH_SIZE], path[PATH_SIZE];
    int running = lock_file(folder, "running", LOCK_EX, 0);
    run.root = root;
    run.folder = folder;
    run.mode = "the run";
    if (running < 0 || !read_job(folder, &run.job, problem) || !join(part, folder, RESULT ".part") || !join(path, folder, JOURNAL))
        return EXIT_FAILED;
    run.progress = mmap(NULL, sizeof *run.progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (run.progress == MAP_FAILED || !record_process(folder, getpid())) return EXIT_FAILED;
    run.journal = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (run.journal < 0 || !write_all(ready, "1", 1)) return EXIT_FAILED;
    (void)close(ready);
    block_sigchld();
    run.seen_ms = run.looked_ms = now_ms();
    run.until_ms = now_ms() + (int64_t)((run.job.deadline_s > 0 ? run.job.deadline_s : 300) * 1000);
    if (run.job.orphan_s <= 0) run.job.orphan_s = 120;
    writer_begin(&run.about, -1, run.about_bytes, sizeof run.about_bytes);
    writer_begin(&run.clocking, -1, run.clocking_bytes, sizeof run.clocking_bytes);
    if (!result_begin(&run, part)) run_fail_errno(&run, "the result cannot be written");
    else carry_out(&run);
    if (run.is_forsaken) {
        (void)dprintf(2, "nobody was attached for %g s\n", run.job.orphan_s);
        remove_files(folder, true);
        return 0;
    }
    if (tell_end(&run, part)) return 0;
    (void)dprintf(2, "the result cannot be told: %s\n", strerror(errno));
    return EXIT_FAILED;
}

/* ---------------------------------------------------------------- attach: compression where it makes the link faster */

#define PACK_SAMPLE 32768u
#define PACK_SAMPLE_EVERY 32 /* raw blocks between two looks at how well the data packs */
#define PACK_TRUST 64        /* packed blocks that never waited for the link, until raw ones measure it anew */

/* Rates are in bytes a microsecond and measured block by block; packing and sending overlap, so that packed blocks go at
 * the slower of both. The same rule as in boardagent/compression.py. */
struct packer {
    zlib_compress compress;
    double link_rate, pack_rate, share; /* 0: not known yet */
    unsigned raw, unhindered;
    int64_t began_us;
};

static double mixed(double old, double newest) { return old > 0 ? 0.7 * old + 0.3 * newest : newest; }

/* Packs `size` bytes; the packed length, or 0 when that does not make them fewer. */
static size_t pack(struct packer *packer, const unsigned char *from, size_t size, unsigned char *to, size_t room) {
    unsigned long packed = (unsigned long)room;
    int64_t start = clock_us(CLOCK_MONOTONIC), took;
    if (packer->compress(to, &packed, from, (unsigned long)size, 1) != 0) return 0;
    took = clock_us(CLOCK_MONOTONIC) - start;
    packer->pack_rate = mixed(packer->pack_rate, (double)size / (double)(took > 0 ? took : 1));
    packer->share = mixed(packer->share, (double)packed / (double)size);
    return packed < size ? (size_t)packed : 0;
}

/* The block in the form that is worth sending: its packed length in `to`, or 0 to send it as it is. */
static size_t packer_choose(struct packer *packer, const unsigned char *from, size_t size, unsigned char *to, size_t room) {
    size_t packed;
    packer->began_us = clock_us(CLOCK_MONOTONIC);
    if (packer->compress == NULL || size == 0) return 0;
    if (packer->link_rate > 0 && packer->share > 0) {
        double packed_rate = packer->link_rate / packer->share;
        if (packer->pack_rate < packed_rate) packed_rate = packer->pack_rate;
        if (packed_rate > 1.15 * packer->link_rate && (packed = pack(packer, from, size, to, room)) > 0) return packed;
    }
    if (packer->raw++ % PACK_SAMPLE_EVERY == 0) {
        (void)pack(packer, from, size < PACK_SAMPLE ? size : PACK_SAMPLE, to, room);
        packer->began_us = clock_us(CLOCK_MONOTONIC);
    }
    return 0;
}

/* How the block went: `waited` when the link did not take all of it at once. */
static void packer_sent(struct packer *packer, size_t stored, bool is_packed, bool waited) {
    int64_t took = clock_us(CLOCK_MONOTONIC) - packer->began_us;
    double rate = (double)stored / (double)(took > 0 ? took : 1);
    if (waited) {
        packer->link_rate = mixed(packer->link_rate, rate);
        packer->unhindered = 0;
    } else if (packer->link_rate > 0) {
        if (rate > packer->link_rate) packer->link_rate = rate;
        packer->unhindered += is_packed;
    }
    if (packer->unhindered >= PACK_TRUST) {
        packer->link_rate = 0;
        packer->unhindered = 0;
    }
}

/* ---------------------------------------------------------------- attach: reading the journal, talking with the worker */

/* Complete lines of a journal, as far as there are any. */
struct lines {
    int fd;
    int64_t number; /* of the next line */
    size_t at, filled;
    char bytes[MAX_LINE + 1];
};

/* The next line (without its end; valid until the next call), NULL when there is none yet. */
static char *lines_next(struct lines *lines, size_t *length) {
    for (;;) {
        char *start = lines->bytes + lines->at, *end = memchr(start, '\n', lines->filled - lines->at);
        ssize_t got;
        if (end != NULL) {
            *end = '\0';
            *length = (size_t)(end - start);
            lines->at += *length + 1;
            lines->number++;
            return start;
        }
        memmove(lines->bytes, start, lines->filled - lines->at);
        lines->filled -= lines->at;
        lines->at = 0;
        if (lines->filled == MAX_LINE) return NULL; /* no entry is that long: not a journal of ours */
        got = read(lines->fd, lines->bytes + lines->filled, MAX_LINE - lines->filled);
        if (got <= 0) return NULL;
        lines->filled += (size_t)got;
    }
}

struct entry {
    bool is_file, is_end;
    char name[NAME_SIZE];
    int64_t bytes;
};

static void entry_found(struct json *json, int level, enum json_type type) {
    struct entry *entry = json->context;
    if (is_member(json, level, "event") && type == JSON_TEXT) {
        entry->is_file = strcmp(json->text, "file") == 0;
        entry->is_end = strcmp(json->text, "end") == 0;
    }
    if (is_member(json, level, "name") && type == JSON_TEXT) say(entry->name, sizeof entry->name, "%s", json->text);
    if (is_member(json, level, "bytes") && type == JSON_NUMBER && json->is_whole) entry->bytes = json->whole;
}

/* What an entry says; false when it is none. */
static bool read_entry(const char *line, size_t length, struct entry *entry) {
    static struct json json;
    memset(entry, 0, sizeof *entry);
    json.found = entry_found;
    json.copy_to = NULL;
    json.context = entry;
    return json_read(&json, -1, line, length) && (!entry->is_file || (is_plain_name(entry->name) && entry->bytes >= 0));
}

struct attached {
    const char *root, *folder;
    struct job job;
    struct lines journal, forgotten; /* the second one follows what the worker has */
    int64_t have, heard_ms, spoke_ms, patience_ms;
    bool is_listening, is_gone;
    int wakes; /* inotify on the journal, -1 without it */
    size_t heard_size;
    char heard[4096];
    struct packer packer;
};

static void have_found(struct json *json, int level, enum json_type type) {
    int64_t *have = json->context;
    if (is_member(json, level, "have") && type == JSON_NUMBER && json->is_whole && json->whole > *have) *have = json->whole;
}

/* Reads what the worker says; a line that is none of ours, or too long, means nothing. */
static void hear(struct attached *peer) {
    static struct json json;
    ssize_t got = read(0, peer->heard + peer->heard_size, sizeof peer->heard - peer->heard_size);
    char *start = peer->heard, *end;
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
        peer->is_listening = false; /* nothing more will come; what we send may still be read */
        return;
    }
    peer->heard_ms = now_ms();
    peer->heard_size += (size_t)got;
    while ((end = memchr(start, '\n', peer->heard_size)) != NULL) {
        json.found = have_found;
        json.copy_to = NULL;
        json.context = &peer->have;
        (void)json_read(&json, -1, start, (uint64_t)(end - start));
        peer->heard_size -= (size_t)(end - start) + 1;
        start = end + 1;
    }
    memmove(peer->heard, start, peer->heard_size);
    if (peer->heard_size == sizeof peer->heard) peer->heard_size = 0;
}

/* Waits for the worker, for room on the link (`for_room`), or for the journal to grow; whichever comes first. */
static void peer_wait(struct attached *peer, int ms, bool for_room) {
    struct pollfd watched[3] = {{1, for_room ? POLLOUT : 0, 0}, {peer->is_listening ? 0 : -1, POLLIN, 0}, {for_room ? -1 : peer->wakes, POLLIN, 0}};
    char news[4096];
    if (poll(watched, 3, ms) < 0 && errno != EINTR) peer->is_gone = true;
    if ((watched[0].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) peer->is_gone = true;
    if ((watched[1].revents & (POLLIN | POLLERR | POLLHUP | POLLNVAL)) != 0) hear(peer);
    if ((watched[2].revents & POLLIN) != 0 && read(peer->wakes, news, sizeof news) < 0) peer->wakes = -1;
    if (peer->is_listening && now_ms() > peer->heard_ms + peer->patience_ms) peer->is_gone = true; /* not a word */
}

/* Sends all of it; `*waited` when the link did not take it at once. False when nobody is there any more. */
static bool peer_send(struct attached *peer, const void *bytes, size_t size, bool *waited) {
    const char *next = bytes;
    while (size > 0 && !peer->is_gone) {
        ssize_t done = write(1, next, size);
        if (done > 0) {
            next += done;
            size -= (size_t)done;
        } else if (done < 0 && errno == EAGAIN) {
            *waited = true;
            peer_wait(peer, 1000, true);
        } else if (done < 0 && errno != EINTR) peer->is_gone = true;
    }
    peer->spoke_ms = now_ms();
    return !peer->is_gone;
}

/* Waits up to `ms` for the worker or the journal; a beat shows the worker that we live. */
static void peer_listen(struct attached *peer, int ms) {
    static const char beat[] = "{\"event\":\"beat\"}\n";
    bool waited;
    peer_wait(peer, ms, false);
    if (!peer->is_gone && now_ms() >= peer->spoke_ms + BEAT_MS) (void)peer_send(peer, beat, sizeof beat - 1, &waited);
}

/* Deletes the files that the worker has whole; the result is small and stays. */
static void forget(struct attached *peer) {
    char path[PATH_SIZE], *line;
    size_t length;
    struct entry entry;
    while (peer->forgotten.number < peer->have && (line = lines_next(&peer->forgotten, &length)) != NULL)
        if (read_entry(line, length, &entry) && entry.is_file && strcmp(entry.name, RESULT) != 0 && join(path, peer->folder, entry.name))
            (void)unlink(path);
}

/* One block: a line that describes it, and its bytes. */
static bool send_block(struct attached *peer, int64_t number, int64_t offset, const unsigned char *bytes, size_t size) {
    static unsigned char packed[BLOCK_SIZE + BLOCK_SIZE / 64 + 1024];
    size_t stored = packer_choose(&peer->packer, bytes, size, packed, sizeof packed);
    bool is_packed = stored > 0, waited = false, is_sent;
    char head[256];
    if (!is_packed) stored = size;
    say(head, sizeof head,
        "{\"event\":\"block\",\"entry\":%" PRId64 ",\"offset\":%" PRId64 ",\"plain\":%zu,\"stored\":%zu,\"method\":\"%s\"}\n", number, offset, size,
        stored, is_packed ? "zlib" : "raw");
    is_sent = peer_send(peer, head, strlen(head), &waited) && peer_send(peer, is_packed ? packed : bytes, stored, &waited);
    packer_sent(&peer->packer, stored, is_packed, waited);
    if (is_sent) peer_listen(peer, 0);
    return is_sent;
}

/* A file's bytes from `offset` on. False with the reason when it is not what was announced; peer->is_gone tells the rest. */
static bool send_content(struct attached *peer, int64_t number, const struct entry *entry, int64_t offset, char *reason) {
    static unsigned char bytes[BLOCK_SIZE];
    char path[PATH_SIZE];
    int fd = join(path, peer->folder, entry->name) ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    bool is_good = fd >= 0;
    if (!is_good) say(reason, 400, "%s is not here: %s", entry->name, strerror(errno));
    while (is_good && offset < entry->bytes) {
        size_t wanted = entry->bytes - offset < (int64_t)BLOCK_SIZE ? (size_t)(entry->bytes - offset) : BLOCK_SIZE;
        ssize_t got = pread(fd, bytes, wanted, (off_t)offset);
        if (got <= 0) {
            say(reason, 400, "%s is shorter than it was", entry->name);
            is_good = false;
        } else if (!send_block(peer, number, offset, bytes, (size_t)got)) is_good = false;
        else offset += got;
    }
    if (fd >= 0) (void)close(fd);
    return is_good;
}

enum streamed { STREAM_END, STREAM_GONE, STREAM_NO_END };

/* Sends one entry as it is, with its number; then, for a file, its content. */
static bool send_entry(struct attached *peer, int64_t number, const char *line, size_t length, const struct entry *entry, int64_t offset,
                       char *reason) {
    char start[48];
    bool waited;
    say(start, sizeof start, "{\"entry\":%" PRId64 ",", number);
    if (!peer_send(peer, start, strlen(start), &waited) || !peer_send(peer, line + 1, length - 1, &waited) ||
        !peer_send(peer, "\n", 1, &waited))
        return false;
    return !entry->is_file || send_content(peer, number, entry, offset, reason);
}

/* Streams entries from number `first` on until the end; `reason` (400 bytes) says why there is none. */
static enum streamed stream(struct attached *peer, int64_t first, int64_t offset, char *reason) {
    reason[0] = '\0';
    while (!peer->is_gone) {
        bool lives = !is_free(peer->folder, "running"); /* asked before the look: what it wrote last is then seen */
        struct entry entry;
        size_t length;
        char *line = lines_next(&peer->journal, &length);
        int64_t number = peer->journal.number - 1;
        if (line != NULL) {
            if (!read_entry(line, length, &entry)) {
                say(reason, 400, "entry %" PRId64 " of the journal is none", number);
                return STREAM_NO_END;
            }
            if (number >= first && !send_entry(peer, number, line, length, &entry, number == first ? offset : 0, reason))
                return peer->is_gone ? STREAM_GONE : STREAM_NO_END;
            if (entry.is_end) return STREAM_END;
        } else if (lives) peer_listen(peer, peer->wakes >= 0 ? 200 : 50);
        else return STREAM_NO_END;
        forget(peer);
    }
    return STREAM_GONE;
}

/* Becomes the one who is attached: an older one, stuck on a dead link, is ended. The descriptor holds the lock. */
static int take_attached(const char *folder) {
    char path[PATH_SIZE], note[100], mine[100], started[32], now[32], *save = NULL, *pid, *noted;
    int fd = join(path, folder, "attached") ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    int64_t number, until = now_ms() + 5000;
    long session;
    if (fd < 0) return -1;
    if (text_of(path, note, sizeof note) && (pid = strtok_r(note, " ", &save)) != NULL && (noted = strtok_r(NULL, " ", &save)) != NULL &&
        whole_number(pid, &number) && number > 1 && number <= INT_MAX && number != getpid() &&
        process_stat((pid_t)number, &session, now, sizeof now) && strcmp(now, noted) == 0)
        (void)kill((pid_t)number, SIGKILL);
    while (flock(fd, LOCK_SH | LOCK_NB) != 0 && now_ms() < until) pause_ms(10); /* the run looks with an exclusive lock */
    if (!process_stat(getpid(), &session, started, sizeof started)) say(started, sizeof started, "?");
    say(mine, sizeof mine, "%ld %s", (long)getpid(), started);
    if (ftruncate(fd, 0) != 0 || pwrite(fd, mine, strlen(mine), 0) < 0) return -1;
    return fd;
}

static bool attach_begin(struct attached *peer, int64_t first) {
    char path[PATH_SIZE];
    if (!join(path, peer->folder, JOURNAL)) return false;
    peer->journal.fd = open(path, O_RDONLY | O_CLOEXEC);
    peer->forgotten.fd = open(path, O_RDONLY | O_CLOEXEC);
    if (peer->journal.fd < 0 || peer->forgotten.fd < 0) return false;
    peer->wakes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (peer->wakes >= 0 && inotify_add_watch(peer->wakes, path, IN_MODIFY) < 0) {
        (void)close(peer->wakes);
        peer->wakes = -1;
    }
    (void)fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK);
    (void)fcntl(1, F_SETFL, fcntl(1, F_GETFL) | O_NONBLOCK);
    peer->have = first; /* who asks from here on has what came before */
    peer->heard_ms = peer->spoke_ms = now_ms();
    peer->patience_ms = (int64_t)((peer->job.orphan_s > 0 ? peer->job.orphan_s : 120) * 1000);
    peer->is_listening = true;
    peer->packer.compress = load_zlib();
    return true;
}

/* ---------------------------------------------------------------- the verbs */

/* Sends the event that was made, over the channel. */
static void channel_send(struct writer *line) {
    put(line, "}\n");
    if (!line->is_broken) (void)write_all(1, line->bytes, line->used);
}

static int refuse(int64_t fence) {
    struct writer line = line_begin("refused");
    char text[80];
    say(text, sizeof text, "fence %" PRId64 " is older than the newest here", fence);
    put_text_member(&line, "reason", "stale-fence");
    put_text_member(&line, "text", text);
    channel_send(&line);
    return EXIT_STALE_FENCE;
}

static int complain(const char *what, const char *reason) {
    (void)dprintf(2, "%s: %s\n", what, reason);
    return EXIT_FAILED;
}

/* The facts that a worker wants before it sends work. */
static void put_facts(struct writer *line, const char *root) {
    struct utsname names;
    size_t i;
    if (uname(&names) != 0) memset(&names, 0, sizeof names);
    put_whole_member(line, "version", PROTOCOL_VERSION);
    put_text_member(line, "agent", "c");
    put_text_member(line, "python", "");
    put_text_member(line, "machine", names.machine);
    put_text_member(line, "kernel", names.release);
    put_key(line, "modules");
    put(line, "[]");
    put_whole_member(line, "disk_free_bytes", free_bytes(root));
    put_known(line, "mem_available_kb", memory_kb("MemAvailable"));
    put_file_text(line, "boot_id", BOOT_ID);
    put_key(line, "npus");
    put(line, "[");
    for (i = 0; i < COUNT_OF(KINDS); i++)
        if (KINDS[i].is_here(&KINDS[i])) {
            put_next(line);
            put_text(line, KINDS[i].name);
        }
    put(line, "]");
    put_whole_member(line, "fence", newest_fence(root));
    put_key(line, "compressions");
    put(line, load_zlib() == NULL ? "[]" : "[\"zlib\"]");
}

static int verb_hello(const char *root) {
    struct writer line = line_begin("hello");
    put_facts(&line, root);
    channel_send(&line);
    return 0;
}

static void send_step(const char *kind, const char *name, bool is_ok, const char *text) {
    struct writer line = line_begin("step");
    put_text_member(&line, "npu", kind);
    put_text_member(&line, "name", name);
    put_key(&line, "ok");
    put(&line, is_ok ? "true" : "false");
    put_key(&line, "text");
    put_text_n(&line, text, strlen(text), 2000);
    channel_send(&line);
}

/* What a probing child left: its version, or an error. */
struct probed {
    char version[512];
    struct failure failure;
};

static void probed_found(struct json *json, int level, enum json_type type) {
    struct probed *probed = json->context;
    if (is_member(json, level, "error")) say(probed->failure.code, sizeof probed->failure.code, "None");
    if (type != JSON_TEXT) return;
    if (is_inner(json, level, "npu", "npu")) say(probed->version, sizeof probed->version, "%s", json->text);
    if (is_inner(json, level, "error", "code")) say(probed->failure.code, sizeof probed->failure.code, "%s", json->text);
    if (is_inner(json, level, "error", "message")) say(probed->failure.message, sizeof probed->failure.message, "%s", json->text);
}

/* Tells what the child that has ended with `status` found. */
static void tell_probed(const struct kind *kind, const char *out, int status) {
    static struct json json;
    static struct probed probed;
    char path[PATH_SIZE], tail[LOG_TAIL + 1], text[LOG_TAIL + 100];
    int fd = join(path, out, "report.json") ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    memset(&probed, 0, sizeof probed);
    json.found = probed_found;
    json.copy_to = NULL;
    json.context = &probed;
    read_tail(out, "log", tail, sizeof tail);
    if (fd < 0 || !json_read(&json, fd, NULL, MAX_LINE)) {
        say(text, sizeof text, "%s: %s", kind->failure_of(status, tail), tail);
        send_step(kind->name, "load", false, text);
    } else if (failed(&probed.failure)) {
        say(text, sizeof text, "%s: %s", probed.failure.code, probed.failure.message);
        send_step(kind->name, "load", false, text);
    } else {
        send_step(kind->name, "load", true, "");
        send_step(kind->name, "version", true, probed.version);
    }
    if (fd >= 0) (void)close(fd);
}

static void probe_kind(const struct kind *kind, const char *root) {
    static struct job nothing;
    char out[PATH_SIZE];
    struct progress *progress = mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct place place = {&nothing, "probe", out, out, progress, kind, -1};
    struct listener listener;
    int64_t until = now_ms() + 20000;
    int status = 0;
    pid_t child;
    bool has_ended = false, has_fallen_silent = false;
    send_step(kind->name, "library", true, "");
    if (!join(out, root, "probe-XXXXXX") || mkdtemp(out) == NULL) {
        send_step(kind->name, "load", false, strerror(errno));
        return;
    }
    if (progress == MAP_FAILED) {
        send_step(kind->name, "load", false, strerror(errno));
        return;
    }
    listener_begin(&listener);
    child = child_start(&place);
    if (child < 0) send_step(kind->name, "load", false, strerror(errno));
    while (child > 0 && !(has_ended = child_has_ended(child, 100, &status)) && now_ms() < until && !asked_to_end && !has_fallen_silent)
        has_fallen_silent = kind->gives_signs && is_silent(&listener, progress, child);
    if (child > 0) child_end(child, has_ended);
    (void)munmap(progress, sizeof *progress);
    if (child > 0 && has_ended) tell_probed(kind, out, status);
    else if (has_fallen_silent) send_step(kind->name, "load", false, "board:npu-hung: no sign of life for 5 s");
    else if (child > 0) send_step(kind->name, "load", false, "not a word for 20 s");
    remove_tree(AT_FDCWD, out, 0);
}

/* Tries each kind of NPU that is here, and tells every step. */
static int verb_probe(const char *root) {
    struct writer line;
    size_t i;
    block_sigchld();
    for (i = 0; i < COUNT_OF(KINDS); i++)
        if (KINDS[i].is_here(&KINDS[i])) probe_kind(&KINDS[i], root);
    line = line_begin("probe");
    put_facts(&line, root);
    channel_send(&line);
    return 0;
}

/* Deletes the folders of runs with a fence of at most `fence`, their names into the line's list. */
static void remove_runs(struct writer *line, const char *root, int64_t fence) {
    struct run_folder *runs;
    size_t count = list_runs(root, fence, &runs), i;
    int folder = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    put_key(line, "removed");
    put(line, "[");
    for (i = 0; i < count && folder >= 0; i++) {
        remove_tree(folder, runs[i].name, 0);
        if (i >= 100) continue;
        put_next(line);
        put_text(line, runs[i].name);
    }
    put(line, "]");
    if (folder >= 0) (void)close(folder);
    free(runs);
}

/* Takes the board for a fence: ends and removes what that fence and older ones left here. */
static int verb_clean(const char *root, const char *text) {
    struct writer line;
    struct ended ended;
    int64_t fence;
    size_t i;
    int status;
    if (!whole_number(text, &fence)) fence = -1;
    status = advance_fence(root, fence);
    if (status == EXIT_STALE_FENCE) return refuse(fence);
    if (status != 0) return complain("the fence cannot be kept", strerror(errno));
    end_leftovers(root, fence, &ended);
    line = line_begin("clean");
    put_key(&line, "ended");
    put(&line, "[");
    for (i = 0; i < ended.count; i++) {
        put_next(&line);
        put_whole(&line, ended.pids[i]);
    }
    put(&line, "]");
    remove_runs(&line, root, fence);
    put_key(&line, "hello");
    put(&line, "{");
    put_facts(&line, root);
    put(&line, "}");
    channel_send(&line);
    return 0;
}

/* Starts the run in a session of its own and returns when its journal can be read; false when it does not get that far. */
static bool launch(const char *root, const char *folder) {
    int ends[2];
    char log[PATH_SIZE], sign = '\0';
    pid_t child;
    if (!join(log, folder, "agent.log") || pipe2(ends, O_CLOEXEC) != 0) return false;
    child = fork();
    if (child == 0) {
        (void)setsid();
        (void)signal(SIGHUP, SIG_IGN);
        if (!redirect(log)) _exit(EXIT_FAILED);
        close_from(3, ends[1]); /* a server waits for the end of every descriptor of the link */
        _exit(run_live(root, folder, ends[1]));
    }
    (void)close(ends[1]);
    if (child > 0 && read_all(ends[0], &sign, 1) != 1) (void)waitpid(child, NULL, 0);
    (void)close(ends[0]);
    return child > 0 && sign == '1';
}

/* The absolute path of a folder; false when it is none. */
static bool find_folder(const char *given, char *folder) { return realpath(given, folder) != NULL; }

static int verb_start(const char *root, const char *given) {
    static struct job job;
    char folder[PATH_SIZE], path[PATH_SIZE], problem[300];
    struct writer line;
    int lock, status;
    if (!find_folder(given, folder)) return complain(given, strerror(errno));
    if (!read_job(folder, &job, problem)) return complain("BadMessage", problem);
    status = advance_fence(root, job.fence);
    if (status == EXIT_STALE_FENCE) return refuse(job.fence);
    if (status != 0) return complain("the fence cannot be kept", strerror(errno));
    lock = lock_file(folder, "starting", LOCK_EX, 10000);
    if (lock < 0 || !join(path, folder, JOURNAL)) return complain("starting", strerror(errno));
    if (access(path, F_OK) != 0 && !launch(root, folder)) return complain("the run does not start", "agent.log may say why");
    line = line_begin("started");
    put_text_member(&line, "run", job.run);
    channel_send(&line);
    return 0;
}

/* Nothing more will come: the fence was outrun, or the run is gone. */
static int tell_gone(struct attached *peer, const char *reason) {
    char tail[LOG_TAIL + 1];
    struct writer line;
    bool waited;
    if (newest_fence(peer->root) > peer->job.fence) return refuse(peer->job.fence);
    read_tail(peer->folder, "agent.log", tail, sizeof tail);
    line = line_begin("gone");
    put_key(&line, "text");
    if (reason[0] == '\0') reason = tail[0] != '\0' ? tail : "the run left no word";
    put_text_n(&line, reason, strlen(reason), 2000);
    put(&line, "}\n");
    (void)peer_send(peer, line.bytes, line.used, &waited);
    return EXIT_FAILED;
}

/* Streams the run's journal and files until its end. */
static int verb_attach(const char *root, const char *given, const char *entry, const char *offset) {
    static struct attached peer;
    static char folder[PATH_SIZE];
    char problem[400];
    int64_t first, from;
    if (!find_folder(given, folder)) return complain(given, strerror(errno));
    if (!whole_number(entry, &first) || !whole_number(offset, &from) || first < 0 || from < 0)
        return complain("BadMessage", "ENTRY and OFFSET are numbers from 0 on");
    peer.root = root;
    peer.folder = folder;
    if (!read_job(folder, &peer.job, problem)) return complain("BadMessage", problem);
    (void)record_process(folder, getpid());
    if (take_attached(folder) < 0 || !attach_begin(&peer, first)) return complain("this run was not started", strerror(errno));
    switch (stream(&peer, first, from, problem)) {
        case STREAM_END: return 0;
        case STREAM_NO_END: return tell_gone(&peer, problem);
        default: return EXIT_FAILED;
    }
}

/* Where fences, locks and runs live: beside the program, or where LAYERWISE_ROOT says. */
static bool find_root(const char *program, char *root) {
    const char *given = getenv("LAYERWISE_ROOT");
    char path[PATH_SIZE], *slash;
    ssize_t length;
    if (given != NULL && given[0] != '\0') return realpath(given, root) != NULL;
    say(path, sizeof path, "%s", program);
    if (strchr(path, '/') == NULL) { /* found on PATH */
        length = readlink("/proc/self/exe", path, sizeof path - 1);
        path[length > 0 ? length : 0] = '\0';
    }
    slash = strrchr(path, '/');
    if (slash == NULL) return false;
    slash[slash == path ? 1 : 0] = '\0';
    return realpath(path, root) != NULL;
}

int main(int count, char **words) {
    static char root[PATH_SIZE];
    const char *verb = count > 1 ? words[1] : "";
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_end_signal;
    (void)signal(SIGPIPE, SIG_IGN);
    if (!find_root(count > 0 ? words[0] : "", root)) return complain("the work folder is not here", strerror(errno));
    if (strcmp(verb, "hello") == 0 && count == 2) return verb_hello(root);
    if (strcmp(verb, "attach") == 0 && count == 5) return verb_attach(root, words[2], words[3], words[4]);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    if (strcmp(verb, "probe") == 0 && count == 2) return verb_probe(root);
    if (strcmp(verb, "clean") == 0 && count == 3) return verb_clean(root, words[2]);
    if (strcmp(verb, "start") == 0 && count == 3) return verb_start(root, words[2]);
    (void)dprintf(2, "usage: hello | probe | clean FENCE | start FOLDER | attach FOLDER ENTRY OFFSET\n");
    return EXIT_USAGE;
}
