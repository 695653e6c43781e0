/* The inner loops of the statistical filter. Each computes what its twin in Python does with numpy, bit for bit
 * (hashing.py, text_views.py, features.py, learner.py say why it is computed so). Nothing here knows Python, and nothing
 * here is checked: _inner_loops.c does both.
 */

#ifndef TAMIS_LOOPS_H
#define TAMIS_LOOPS_H

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What a machine must be for the same bits as numpy's; on others this is not compiled, and numpy is used. */
_Static_assert(SIZE_MAX > UINT32_MAX, "a machine of 64 bits");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a little-endian machine");
_Static_assert(FLT_EVAL_METHOD == 0, "floats are computed as floats");

#ifndef ALLOCATE /* the tests let it fail */
#define ALLOCATE malloc
#endif

enum {
    MAX_SOURCES = 64,    /* sections, texts or views of a message; beyond: ValueError */
    MAX_TOTAL = 1 << 24, /* octets in all sections and texts; beyond: ValueError */
    MAX_REACH = 8,       /* how far apart the words of a pair are; beyond: ValueError */
    MAX_BITS = 24,       /* of a view's table; beyond: ValueError */
    LONG = 1 << 17,      /* octets from which other threads go on meanwhile (half a millisecond); most mail has 15,000 */
    MAX_WORD = 32,
    NEWLINE = '\n',
};

static const uint64_t BASE = 0x9E3779B97F4A7C15, PAIR = 0xD6E8FEB86659FD93;
static const uint32_t GRAM = 0x9E3779B1;

/* A bijection of 64-bit numbers that makes every bit depend on every other. */
static uint64_t mix(uint64_t hash)
{
    hash ^= hash >> 30;
    hash *= 0xBF58476D1CE4E5B9;
    hash ^= hash >> 27;
    hash *= 0x94D049BB133111EB;
    return hash ^ hash >> 31;
}

/* The distinct buckets that a message has in one view. A set bit stands for a bucket, a set bit of `summary` for a
 * word of `bits` that isn't zero: so they come out in order without being sorted, and what is empty isn't looked at. */
typedef struct {
    uint64_t *bits;
    uint64_t *summary;
} Buckets;

static inline void put(Buckets buckets, uint64_t bucket)
{
    buckets.bits[bucket >> 6] |= UINT64_C(1) << (bucket & 63);
    buckets.summary[bucket >> 12] |= UINT64_C(1) << (bucket >> 6 & 63);
}

/* Write the buckets, which begin at `offset` in the model's table, and leave none; how many there were. */
static size_t take_all(Buckets buckets, unsigned int table_bits, uint32_t offset, uint32_t *places)
{
    size_t count = 0;
    size_t last = ((UINT64_C(1) << table_bits) - 1) >> 12;
    for (size_t group = 0; group <= last; group++) {
        for (uint64_t words = buckets.summary[group]; words; words &= words - 1) {
            size_t word = group << 6 | (size_t)__builtin_ctzll(words);
            for (uint64_t bits = buckets.bits[word]; bits; bits &= bits - 1) {
                places[count++] = offset + (uint32_t)(word << 6 | (size_t)__builtin_ctzll(bits));
            }
            buckets.bits[word] = 0;
        }
        buckets.summary[group] = 0;
    }
    return count;
}

typedef struct {
    const uint8_t *octets;
    size_t length;
} Section;

typedef struct {
    const uint8_t *octets;
    size_t length;
    const uint8_t *inside; /* 256 octets, not zero for those that words are made of */
    size_t count;
    uint64_t *hashes; /* of the words, at most (length + 1) / 2 */
    uint32_t *lines;  /* of the words; NULL where a word is the same in every line */
} Text;

typedef struct {
    uint32_t source; /* number of the section or text */
    uint32_t reach;  /* 0: its words; else their pairs up to so far apart */
    uint32_t bits;
    uint32_t offset;
} View;

static void hash_words(Text *text)
{
    const uint8_t *octets = text->octets;
    uint32_t line = 0;
    size_t at = 0;
    while (at < text->length) {
        if (!text->inside[octets[at]]) {
            line += octets[at++] == NEWLINE;
            continue;
        }
        size_t start = at;
        uint64_t hash = 0, power = 1;
        for (; at < text->length && text->inside[octets[at]]; at++) {
            if (at - start < MAX_WORD) {
                hash += (octets[at] + UINT64_C(1)) * power;
                power *= BASE;
            }
        }
        size_t length = at - start;
        if (length > MAX_WORD) {
            hash = (length < 1024 ? length : 1024) >> 3;
        }
        if (text->lines) {
            text->lines[text->count] = line;
        }
        text->hashes[text->count++] = mix(hash);
    }
}

/* Make words different by the first of their line. */
static void salt_by_line(Text *text)
{
    uint64_t salt = 0;
    for (size_t at = 0; at < text->count; at++) {
        if (at == 0 || text->lines[at] != text->lines[at - 1]) {
            salt = text->hashes[at];
        }
        text->hashes[at] = mix(salt * PAIR + text->hashes[at]);
    }
}

static void put_words(Buckets buckets, const Text *text, unsigned int bits)
{
    for (size_t at = 0; at < text->count; at++) {
        put(buckets, text->hashes[at] >> (64 - bits));
    }
}

static void put_pairs(Buckets buckets, const Text *text, size_t reach, unsigned int bits)
{
    for (size_t first = 0; first < text->count; first++) {
        uint64_t salt = text->hashes[first] * PAIR;
        for (size_t gap = 1; gap <= reach && first + gap < text->count; gap++) {
            if (text->lines && text->lines[first] != text->lines[first + gap]) {
                break;
            }
            put(buckets, mix(text->hashes[first + gap] * (2 * gap + 1) + salt) >> (64 - bits));
        }
    }
}

static void put_grams(Buckets buckets, Section section, unsigned int bits)
{
    for (size_t at = 0; at + 4 <= section.length; at++) {
        const uint8_t *o = section.octets + at;
        uint32_t gram = (uint32_t)o[0] | (uint32_t)o[1] << 8 | (uint32_t)o[2] << 16 | (uint32_t)o[3] << 24;
        gram ^= gram >> 15;
        gram *= GRAM;
        gram ^= gram >> 13;
        gram *= GRAM;
        put(buckets, gram >> (32 - bits));
    }
}

/* A message, and what is found of it. */
typedef struct {
    Section sections[MAX_SOURCES];
    Text texts[MAX_SOURCES];
    View views[MAX_SOURCES];
    size_t section_count, text_count, view_count;
    size_t octets;     /* in all sections and texts */
    unsigned int bits; /* of the largest table */
    uint64_t *hashes;  /* of the words of all texts */
    uint32_t *lines;   /* of the words of the first text */
    uint64_t *buckets;
    uint32_t *places;
    size_t place_count;
    int64_t counts[MAX_SOURCES];
} Message;

/* Hash the words of all texts; -1 without memory. */
static int read_texts(Message *message)
{
    size_t most = 0;
    for (size_t number = 0; number < message->text_count; number++) {
        most += message->texts[number].length / 2 + 1;
    }
    message->hashes = ALLOCATE(most * sizeof(uint64_t) + 1);
    message->lines = ALLOCATE((message->texts[0].length / 2 + 1) * sizeof(uint32_t));
    if (!message->hashes || !message->lines) {
        return -1;
    }
    message->texts[0].lines = message->lines;
    uint64_t *hashes = message->hashes;
    for (size_t number = 0; number < message->text_count; number++) {
        Text *text = &message->texts[number];
        text->hashes = hashes;
        hash_words(text);
        hashes += text->count;
    }
    salt_by_line(&message->texts[0]);
    return 0;
}

/* Find the places of all views; -1 without memory. */
static int find_places(Message *message)
{
    size_t most = 0;
    for (size_t number = 0; number < message->view_count; number++) {
        View view = message->views[number];
        if (number < message->section_count) {
            most += message->sections[view.source].length;
        } else {
            most += message->texts[view.source].count * (view.reach ? view.reach : 1);
        }
    }
    size_t words = (UINT64_C(1) << message->bits) / 64 + 1;
    size_t groups = words / 64 + 1;
    message->places = ALLOCATE(most * sizeof(uint32_t) + 1);
    message->buckets = ALLOCATE((words + groups) * sizeof(uint64_t));
    if (!message->places || !message->buckets) {
        return -1;
    }
    memset(message->buckets, 0, (words + groups) * sizeof(uint64_t));
    Buckets buckets = {message->buckets, message->buckets + words};
    for (size_t number = 0; number < message->view_count; number++) {
        View view = message->views[number];
        if (number < message->section_count) {
            put_grams(buckets, message->sections[view.source], view.bits);
        } else if (view.reach) {
            put_pairs(buckets, &message->texts[view.source], view.reach, view.bits);
        } else {
            put_words(buckets, &message->texts[view.source], view.bits);
        }
        size_t found = take_all(buckets, view.bits, view.offset, message->places + message->place_count);
        message->place_count += found;
        message->counts[number] = (int64_t)found;
    }
    return 0;
}

/* The sum of weights, in the order in which numpy adds numbers (Higham 1993, pairwise summation). */
static double pairwise(const float *weights, const uint32_t *places, size_t count)
{
    if (count < 8) {
        double sum = -0.0;
        for (size_t at = 0; at < count; at++) {
            sum += weights[places[at]];
        }
        return sum;
    }
    if (count > 128) {
        size_t half = count / 2;
        half -= half % 8;
        return pairwise(weights, places, half) + pairwise(weights, places + half, count - half);
    }
    double sums[8];
    size_t at = 8;
    for (size_t lane = 0; lane < 8; lane++) {
        sums[lane] = weights[places[lane]];
    }
    for (; at + 8 <= count; at += 8) {
        for (size_t lane = 0; lane < 8; lane++) {
            sums[lane] += weights[places[at + lane]];
        }
    }
    double sum = ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
    for (; at < count; at++) {
        sum += weights[places[at]];
    }
    return sum;
}

/* One step of AdaGrad for the weights of a view. */
static void step_view(float *weights, float *accumulators, const uint32_t *places, size_t count, float gradient,
                      float floor, float rate)
{
    for (size_t at = 0; at < count; at++) {
        uint32_t place = places[at];
        accumulators[place] += gradient * gradient;
        weights[place] -= rate * gradient / (floor + sqrtf(accumulators[place]));
    }
}

/* Octets without those that are like the one before, each newline kept; how many. Without a branch, which would be
 * guessed wrong at every other run. */
static size_t squeeze(const char *octets, size_t size, char *kept)
{
    size_t count = 0;
    char before = NEWLINE;
    for (size_t at = 0; at < size; at++) {
        kept[count] = octets[at];
        count += octets[at] != before || octets[at] == NEWLINE;
        before = octets[at];
    }
    return count;
}

#endif
