// The scan of records whose detections are decoded later, where they are placed.
#include "tag_decoder.hpp"

#include <algorithm>
#include <cstring>

#include "instruction_sets.hpp"

namespace keybeam {

namespace {

// Records that are looked at together.
constexpr std::size_t kBlock = 64;

struct ScanRule {
    RecordFields fields;
    std::uint64_t lowest; // the earliest time that is close, modulo that of the records
};

std::uint64_t load(const unsigned char *records, std::size_t place) {
    std::uint64_t record;
    std::memcpy(&record, records + 8 * place, sizeof record);
    return record;
}

// Whether all of a block are wanted detections with close times. `earliest` becomes the time of the
// earliest after `rule.lowest`.
inline bool is_plain(const ScanRule &rule, const unsigned char *records, std::int64_t &earliest) {
    const unsigned bits = rule.fields.time_bits;
    const std::uint64_t time_mask = (std::uint64_t{1} << bits) - 1;
    const std::uint64_t head = rule.fields.first_head, last = rule.fields.channels - 1;
    const std::uint64_t largest = time_mask >> 2;
    std::uint64_t bad = 0; // its top bit is set by what is less than zero
    std::int64_t least = static_cast<std::int64_t>(time_mask);
    for (std::size_t place = 0; place < kBlock; ++place) {
        const std::uint64_t record = load(records, place);
        const std::uint64_t channel = (record >> bits) - head;
        const std::uint64_t since = (record - rule.lowest) & time_mask;
        bad |= channel | (last - channel) | (largest - since);
        least = std::min(least, static_cast<std::int64_t>(since));
    }
    earliest = least;
    return bad >> 63 == 0;
}

using IsPlain = bool (*)(const ScanRule &, const unsigned char *, std::int64_t &);

#define KEYBEAM_KERNELS(name, attributes)                                                        \
    attributes bool is_plain_##name(const ScanRule &rule, const unsigned char *records,          \
                                    std::int64_t &earliest) {                                    \
        return is_plain(rule, records, earliest);                                                \
    }

KEYBEAM_KERNELS(portable, )
#if KEYBEAM_X86
KEYBEAM_KERNELS(avx2, KEYBEAM_AVX2)
KEYBEAM_KERNELS(avx512, KEYBEAM_AVX512)
#endif

const IsPlain kIsPlain = KEYBEAM_BEST(is_plain);

} // namespace

Scanned scan_records(const RecordLayout &layout, const unsigned char *records, std::size_t count,
                     unsigned channels, StreamTime &stream, std::vector<std::int64_t> &places,
                     std::vector<std::int64_t> &times, std::int64_t &first_time) {
    const std::uint32_t plain_types =
        std::uint32_t{1} << layout.tag_type | std::uint32_t{1} << layout.silent_type;
    const auto is_of = [&](std::uint32_t types, std::uint64_t record) {
        return (types >> (record >> layout.type_shift) & 1) != 0;
    };
    Scanned scanned{true, 0, INT64_MAX};
    const std::int64_t before = stream.time;
    const std::size_t lead = find_first_time(layout, records, count, stream, first_time);
    for (std::size_t place = 0; place < lead; ++place) {
        if (!is_of(plain_types, load(records, place))) {
            places.push_back(static_cast<std::int64_t>(place));
            times.push_back(before);
        }
    }
    if (lead == count) {
        return scanned;
    }
    const unsigned bits = layout.time_bits;
    const std::uint64_t time_mask = (std::uint64_t{1} << bits) - 1;
    const std::int64_t lowest = first_time - (std::int64_t{1} << (bits - 3));
    const ScanRule rule{{bits, std::uint64_t{layout.tag_type} << (layout.type_shift - bits), channels},
                        static_cast<std::uint64_t>(lowest)};
    std::int64_t time = first_time;
    const auto since = [&](std::uint64_t record) {
        return static_cast<std::int64_t>((record - rule.lowest) & time_mask);
    };
    for (std::size_t begin = lead; begin < count; begin += kBlock) {
        std::int64_t earliest;
        if (count - begin >= kBlock && kIsPlain(rule, records + 8 * begin, earliest)) {
            scanned.count += kBlock;
            scanned.earliest = std::min(scanned.earliest, lowest + earliest);
            time = stream.ordered = lowest + since(load(records, begin + kBlock - 1));
            continue;
        }
        for (std::size_t place = begin; place < std::min(count, begin + kBlock); ++place) {
            const std::uint64_t record = load(records, place);
            if (is_of(layout.timed_types, record)) {
                if (since(record) > static_cast<std::int64_t>(time_mask >> 2)) {
                    scanned.close = false;
                    return scanned;
                }
                time = lowest + since(record);
                stream.ordered = is_of(layout.ordered_types, record) ? time : stream.ordered;
            }
            if ((record >> bits) - rule.fields.first_head < channels) {
                ++scanned.count;
                scanned.earliest = std::min(scanned.earliest, time);
            } else if (!is_of(plain_types, record)) {
                places.push_back(static_cast<std::int64_t>(place));
                times.push_back(time);
            }
        }
    }
    stream.time = time;
    return scanned;
}

} // namespace keybeam
