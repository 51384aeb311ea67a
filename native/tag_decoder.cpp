#include "tag_decoder.hpp"

#include <algorithm>
#include <cstring>

namespace keybeam {

namespace {

// Records that are looked at together.
constexpr std::size_t kBlock = 64;

// So many of a block that are no wanted detections are frequent.
constexpr std::size_t kFrequent = 4;

// Other records that are kept before they are handed on.
constexpr std::size_t kKept = 512;

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

} // namespace

std::size_t find_first_time(const RecordLayout &layout, const unsigned char *records,
                            std::size_t count, StreamTime &stream, std::int64_t &first_time) {
    std::size_t lead = 0;
    while (lead < count && (layout.timed_types >> (load(records, lead) >> layout.type_shift) & 1) == 0) {
        ++lead;
    }
    if (lead == count) {
        return lead;
    }
    const std::int64_t time = stream.time;
    const std::uint64_t time_mask = (std::uint64_t{1} << layout.time_bits) - 1;
    const std::uint64_t raw = load(records, lead) & time_mask;
    if (!stream.known) {
        first_time = static_cast<std::int64_t>(raw);
    } else if (stream.restarted) {
        first_time = time + static_cast<std::int64_t>((raw - static_cast<std::uint64_t>(time)) &
                                                      time_mask);
    } else {
        first_time = time + shortest_step(raw, time, layout.time_bits);
    }
    stream.known = true;
    stream.restarted = false;
    return lead;
}

std::size_t split_records(const RecordLayout &layout, const unsigned char *records,
                          std::size_t count, unsigned channels, StreamTime &stream,
                          unsigned char *tags, std::vector<std::int64_t> &places,
                          std::vector<std::int64_t> &times, std::int64_t &first_time) {
    // Copies, which writing to `tags` cannot change behind the compiler's back.
    const unsigned bits = layout.time_bits, type_shift = layout.type_shift;
    const std::uint32_t timed_types = layout.timed_types, ordered_types = layout.ordered_types;
    const std::uint32_t other_types =
        ~(std::uint32_t{1} << layout.tag_type | std::uint32_t{1} << layout.silent_type);
    const std::uint64_t first_tag_head = std::uint64_t{layout.tag_type} << (type_shift - bits);
    std::int64_t time = stream.time, ordered = stream.ordered;

    const std::size_t lead = find_first_time(layout, records, count, stream, first_time);

    // Nearly all records are detections, so a branch on that is nearly always foreseen. Where others
    // are frequent it is not, and a wrong guess costs more than all work on a record. So there
    // nothing branches: whatever a record might give is written, and the place to write to only
    // moves on when it was that. The time is kept in the high bits as well, where a difference is
    // the shortest one by itself.
    const unsigned spare = 64 - bits;
    unsigned char *out = tags;
    std::int64_t other_places[kKept], other_times[kKept];
    std::size_t others = 0;
    const auto hand_on = [&] {
        places.insert(places.end(), other_places, other_places + others);
        times.insert(times.end(), other_times, other_times + others);
        others = 0;
    };
    bool dense = false; // others were frequent in the block before: so they will be in this one
    for (std::size_t begin = 0; begin < count; begin += kBlock) {
        const std::size_t end = std::min(count, begin + kBlock);
        const unsigned char *const before = out;
        if (!dense) {
            for (std::size_t place = begin; place < end; ++place) {
                if (place == lead) {
                    time = first_time; // the step to it below is then zero
                }
                const std::uint64_t record = load(records, place);
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
                if (other_types >> type & 1) {
                    other_places[others] = static_cast<std::int64_t>(place);
                    other_times[others] = time;
                    ++others;
                }
            }
        } else {
            std::uint64_t high = static_cast<std::uint64_t>(time) << spare;
            for (std::size_t place = begin; place < end; ++place) {
                if (place == lead) {
                    time = first_time; // the step to it below is then zero
                    high = static_cast<std::uint64_t>(time) << spare;
                }
                const std::uint64_t record = load(records, place);
                const unsigned type = static_cast<unsigned>(record >> type_shift);
                const std::uint64_t channel = (record >> bits) - first_tag_head;
                const std::uint64_t is_timed = -std::uint64_t{timed_types >> type & 1};
                const std::uint64_t is_ordered = -std::uint64_t{ordered_types >> type & 1};
                const std::uint64_t step = ((record << spare) - high) & is_timed;
                high += step;
                time += static_cast<std::int64_t>(step) >> spare;
                ordered ^= (ordered ^ time) & static_cast<std::int64_t>(is_ordered);
                std::memcpy(out, &time, sizeof time);
                out[8] = static_cast<unsigned char>(channel);
                out += channel < channels ? kTagBytes : 0;
                other_places[others] = static_cast<std::int64_t>(place);
                other_times[others] = time;
                others += other_types >> type & 1;
            }
        }
        dense = static_cast<std::size_t>(out - before) + kFrequent * kTagBytes <= (end - begin) * kTagBytes;
        if (others > kKept - kBlock) {
            hand_on();
        }
    }
    hand_on();
    stream.time = time;
    stream.ordered = ordered;
    return static_cast<std::size_t>(out - tags) / kTagBytes;
}

} // namespace keybeam
