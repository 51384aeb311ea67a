#include "tag_decoder.hpp"

#include <cstring>

// Where compiler and loader can, the machine's widest vectors are chosen at run time.
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__)
#define KEYBEAM_DISPATCHED \
    __attribute__((target_clones("arch=skylake-avx512", "arch=haswell", "default")))
#else
#define KEYBEAM_DISPATCHED
#endif

namespace keybeam {

namespace {

std::uint64_t load(const unsigned char *records, std::size_t place) {
    std::uint64_t record;
    std::memcpy(&record, records + 8 * place, sizeof record);
    return record;
}

// The step from `time` to the next time that is `record` modulo 2^bits, less than half of that
// away: the difference of the low bits, its sign extended.
std::int64_t shortest_step(std::uint64_t record, std::int64_t time, unsigned bits) {
    const unsigned spare = 64 - bits;
    const std::uint64_t difference = record - static_cast<std::uint64_t>(time);
    return static_cast<std::int64_t>(difference << spare) >> spare;
}

constexpr std::size_t kBlock = 8;

// Writes the records of a block if all are detections of wanted channels within a quarter of the
// modulus around `time`. The sum of their steps is then the difference to `time`, so that
// none has to wait for the one before it. Returns whether it did.
inline bool split_block(const unsigned char *records, std::uint64_t first_tag_head,
                        unsigned bits, unsigned channels, std::int64_t &time,
                        unsigned char *out) {
    const std::int64_t quarter = std::int64_t{1} << (bits - 3);
    std::uint64_t words[kBlock], heads[kBlock];
    std::int64_t times[kBlock];
    std::uint64_t unfit = 0;
    std::memcpy(words, records, sizeof words);
    for (std::size_t i = 0; i < kBlock; ++i) {
        const std::int64_t step = shortest_step(words[i], time, bits);
        heads[i] = (words[i] >> bits) - first_tag_head;
        times[i] = time + step;
        unfit |= static_cast<std::uint64_t>(heads[i] >= channels) |
                 static_cast<std::uint64_t>(static_cast<std::uint64_t>(step + quarter) >=
                                            static_cast<std::uint64_t>(2 * quarter));
    }
    if (unfit != 0) {
        return false;
    }
    for (std::size_t i = 0; i < kBlock; ++i) {
        std::memcpy(out + kTagBytes * i, &times[i], sizeof times[i]);
        out[kTagBytes * i + 8] = static_cast<unsigned char>(heads[i]);
    }
    time = times[kBlock - 1];
    return true;
}

} // namespace

KEYBEAM_DISPATCHED
std::size_t split_records(const RecordLayout &layout, const unsigned char *records,
                          std::size_t count, unsigned channels, StreamTime &stream,
                          unsigned char *tags, std::vector<std::int64_t> &places,
                          std::vector<std::int64_t> &times, std::int64_t &first_time) {
    // Copies, which writing to `tags` cannot change behind the compiler's back.
    const unsigned bits = layout.time_bits, type_shift = layout.type_shift;
    const std::uint32_t timed_types = layout.timed_types, ordered_types = layout.ordered_types;
    const std::uint64_t time_mask = (std::uint64_t{1} << bits) - 1;
    const std::uint64_t first_tag_head = std::uint64_t{layout.tag_type} << (type_shift - bits);
    std::int64_t time = stream.time, ordered = stream.ordered;
    std::size_t place = 0;

    const auto timed = [&](std::uint64_t record) {
        return (timed_types >> (record >> type_shift) & 1) != 0;
    };
    // Up to the first time nothing can be unwrapped.
    std::size_t lead = 0;
    while (lead < count && !timed(load(records, lead))) {
        ++lead;
    }
    if (lead < count) {
        const std::uint64_t raw = load(records, lead) & time_mask;
        if (!stream.known) {
            first_time = static_cast<std::int64_t>(raw);
        } else if (stream.restarted) {
            first_time =
                time + static_cast<std::int64_t>((raw - static_cast<std::uint64_t>(time)) &
                                                 time_mask);
        } else {
            first_time = time + shortest_step(raw, time, bits);
        }
        stream.known = true;
        stream.restarted = false;
    }

    unsigned char *out = tags;
    // Records to be taken singly before a block is tried again: more where blocks fail often.
    std::size_t skip = 0, patience = kBlock;
    while (place < count) {
        if (place == lead) {
            time = first_time; // the step to it below is then zero
        }
        if (skip == 0 && place >= lead && count - place >= kBlock) {
            if (split_block(records + 8 * place, first_tag_head, bits, channels, time, out)) {
                ordered = time;
                out += kTagBytes * kBlock;
                place += kBlock;
                patience = kBlock;
                continue;
            }
            skip = patience;
            patience = patience < 256 ? 2 * patience : patience;
        }
        skip -= skip > 0;
        const std::uint64_t record = load(records, place++);
        const std::uint64_t channel = (record >> bits) - first_tag_head;
        if (channel < channels) {
            time += shortest_step(record, time, bits);
            std::memcpy(out, &time, sizeof time);
            out[8] = static_cast<unsigned char>(channel);
            out += kTagBytes;
            ordered = time;
            continue;
        }
        const unsigned type = static_cast<unsigned>(record >> type_shift);
        if (timed_types >> type & 1) {
            time += shortest_step(record, time, bits);
            if (ordered_types >> type & 1) {
                ordered = time;
            }
        }
        if (type != layout.silent_type && type != layout.tag_type) {
            places.push_back(static_cast<std::int64_t>(place - 1));
            times.push_back(time);
        }
    }
    stream.time = time;
    stream.ordered = ordered;
    return static_cast<std::size_t>(out - tags) / kTagBytes;
}

} // namespace keybeam
