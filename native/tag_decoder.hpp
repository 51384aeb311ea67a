// Splits tag records into detections with unwrapped times, and the few others.
#ifndef KEYBEAM_TAG_DECODER_HPP
#define KEYBEAM_TAG_DECODER_HPP

#include <cstddef>
#include <cstdint>
#include <vector>

namespace keybeam {

// Where the fields of a record lie and which types matter: keybeam.protocol.records has the one
// definition, and hands it over.
struct RecordLayout {
    unsigned time_bits;    // low bits of a record that hold its time
    unsigned type_shift;   // from here on stands the type
    std::uint8_t tag_type; // the type of detections
    std::uint8_t silent_type; // a type that does nothing but to carry time on
    std::uint32_t timed_types;   // bit t: type t carries a time
    std::uint32_t ordered_types; // bit t: its times never fall
};

// Which records are wanted detections.
struct RecordFields {
    unsigned time_bits;        // low bits of a record that hold its time
    std::uint64_t first_head;  // the higher bits of a detection of channel 0
    std::uint64_t channels;    // detections of channels below this number are wanted
};

// Time of a stream between two chunks of it.
struct StreamTime {
    bool known;          // whether there was a time at all
    bool restarted;      // whether the next time is later than all before, however small it is
    std::int64_t time;   // the last time
    std::int64_t ordered; // the last one of an ordered type
};

// Bytes of a detection: int64 time, uint8 channel, without padding.
constexpr std::size_t kTagBytes = 9;

// Writes the detections of channels below `channels` to `tags` (room for all records), notes the
// places and times of all other records but silent ones and other detections, and moves
// `stream` on. `first_time` becomes the first time of the records, where there is one. Returns the
// number of detections written.
std::size_t split_records(const RecordLayout &layout, const unsigned char *records,
                          std::size_t count, unsigned channels, StreamTime &stream,
                          unsigned char *tags, std::vector<std::int64_t> &places,
                          std::vector<std::int64_t> &times, std::int64_t &first_time);

// Finds the first record with a time; up to there nothing can be unwrapped. Gives its place, or
// `count`; `first_time` and `stream` take note of its time.
std::size_t find_first_time(const RecordLayout &layout, const unsigned char *records,
                            std::size_t count, StreamTime &stream, std::int64_t &first_time);

struct Scanned {
    bool close;            // whether all times lie within a quarter of the modulus around the first
    std::size_t count;     // wanted detections
    std::int64_t earliest; // the earliest of their times
};

// Finds all that `split_records` finds but the detections. Where the times do not lie close
// together it gives up, and all it leaves behind is without meaning.
Scanned scan_records(const RecordLayout &layout, const unsigned char *records, std::size_t count,
                     unsigned channels, StreamTime &stream, std::vector<std::int64_t> &places,
                     std::vector<std::int64_t> &times, std::int64_t &first_time);

} // namespace keybeam

#endif
