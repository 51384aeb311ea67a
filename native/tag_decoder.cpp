#include "tag_decoder.hpp"

#include <algorithm>
#include <cstring>

namespace keybeam {

namespace {

// Records between two times that others are handed on.
constexpr std::size_t kBlock = 512;

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

std::size_t split_records(const RecordLayout &layout, const unsigned char *records,
                          std::size_t count, unsigned channels, StreamTime &stream,
                          unsigned char *tags, std::vector<std::int64_t> &places,
                          std::vector<std::int64_t> &times, std::int64_t &first_time) {
    // Copies, which writing to `tags` cannot change behind the compiler's back.
    const unsigned bits = layout.time_bits, type_shift = layout.type_shift;
    const std::uint32_t timed_types = layout.timed_types, ordered_types = layout.ordered_types;
    const std::uint32_t other_types =
        ~(std::uint32_t{1} << layout.tag_type | std::uint32_t{1} << layout.silent_type);
    const std::uint64_t time_mask = (std::uint64_t{1} << bits) - 1;
    const std::uint64_t first_tag_head = std::uint64_t{layout.tag_type} << (type_shift - bits);
    std::int64_t time = stream.time, ordered = stream.ordered;

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

    // Which record is what differs from one to the next, so nothing here branches on it: whatever a
    // record might give is written, and the place to write to only moves on when it was that. The
    // time is kept in the high bits as well, where a difference is the shortest one by itself.
    const unsigned spare = 64 - bits;
    std::uint64_t high = static_cast<std::uint64_t>(time) << spare;
    unsigned char *out = tags;
    std::int64_t block_places[kBlock], block_times[kBlock];
    for (std::size_t begin = 0; begin < count; begin += kBlock) {
        const std::size_t end = std::min(count, begin + kBlock);
        std::size_t others = 0;
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
            block_places[others] = static_cast<std::int64_t>(place);
            block_times[others] = time;
            others += other_types >> type & 1;
        }
        places.insert(places.end(), block_places, block_places + others);
        times.insert(times.end(), block_times, block_times + others);
    }
    stream.time = time;
    stream.ordered = ordered;
    return static_cast<std::size_t>(out - tags) / kTagBytes;
}

} // namespace keybeam
