// From detections to clicks: places tags in the frames around them, gates clicks, and leaves one a
// pulse.
#ifndef KEYBEAM_CLICK_FINDER_HPP
#define KEYBEAM_CLICK_FINDER_HPP

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tag_decoder.hpp"

namespace keybeam {

// Bytes of a click: uint64 pulse index, uint8 channel, float phase, without padding.
constexpr std::size_t kClickBytes = 13;

// The numbers of frames and slots: keybeam.protocol.numbers has the one definition.
struct FrameLayout {
    double step_ps;           // picoseconds of a fine step
    std::int64_t frame_steps; // fine steps of a nominal frame
    double frame_ps;          // picoseconds of a nominal frame
    double frame_slots;       // pulses of a frame
    double slot_ps;           // picoseconds of a slot
};

// Frames whose starts are known, one more than those in which tags can lie.
struct FrameStarts {
    const double *starts;     // picoseconds after `origin`
    const double *deviations; // the same less the nominal starts
    const std::uint8_t *key;  // whether clicks of the frame are wanted
    std::size_t count;
    std::int64_t origin;   // fine steps
    std::uint64_t counter; // of the first frame
    double shift_ps;       // added to the tags' times
};

// Records whose times all lie close to one of them. Which fields they have tells RecordFields.
struct PackedTags {
    const unsigned char *words; // 8 bytes each; those that are no wanted detections are left out
    std::size_t count;
    std::int64_t base; // an unwrapped time that no detection's is half the modulus away from
};

// Which clicks are kept, of those that have their pulse index.
struct ClickGate {
    float delay_ps;             // how much later the slot centres are
    float half_width_ps;        // farthest from the centre
    std::uint64_t end;          // clicks from this pulse on are past the end
    std::uint64_t second_slots; // pulses of a second
    std::uint64_t first;        // pulse from which clicks are counted, 2^30 at most before any of them
};

struct Placed {
    std::size_t clicks;     // clicks written
    std::size_t inside;     // tags that lie in one of the frames
    std::size_t wanted;     // those of them in frames whose clicks are wanted
    std::size_t before;     // tags before the first frame
    std::size_t after;      // tags from the last start on, whose words are written to `later`
    std::size_t beyond;     // clicks past the end
    std::int64_t earliest;  // time of the earliest of `later`
    std::uint64_t second;   // of the first counts in the two below
    std::vector<std::int64_t> placed_in; // clicks before the end in each second, gated out or not
    std::vector<std::int64_t> gated_in;  // clicks written of each second
};

// Gives tags their pulse index. `clicks`, of `room` bytes, and `later` have room for all of them.
// Without a gate every click is written with its phase, and nothing is counted by seconds. Behind a
// gate a click is a word of 32 bits: the pulses after `first` times four, and its channel.
Placed place_tags(const FrameLayout &layout, const FrameStarts &frames, const RecordFields &fields,
                  const PackedTags &tags, const ClickGate *gate, unsigned char *clicks,
                  std::size_t room, unsigned char *later);

// Moves the slot centres `delay_ps` later, and writes the clicks within `half_width_ps` of them to
// `gated`, which has room for all; returns their number.
std::size_t gate_clicks(const unsigned char *clicks, std::size_t count, float slot_ps,
                        float delay_ps, float half_width_ps, unsigned char *gated);

enum class ClickOrder {
    mixed,   // some index is less than the one before
    equal,   // none is, but some are the same
    rising,  // every index is more than the one before
};

ClickOrder order_of(const unsigned char *clicks, std::size_t count);

// The same of words as a gate gives them.
ClickOrder order_of_words(const std::uint32_t *words, std::size_t count);

// Packs clicks into such words, counted from the first of them, and stops before one that is 2^30
// pulses or more after it, or before it. Returns their number.
std::size_t pack_clicks(const unsigned char *clicks, std::size_t count, std::uint32_t *words);

// Writes one click a pulse to `single`, which has room for all; pulses with clicks in both bases
// are left out. `doubles` takes, for every pulse with both clicks of a basis, the place of its click
// in `single`, or -1 where it is left out. Returns their number, or `count + 1`, with nothing done,
// where the indices do not rise.
std::size_t single_clicks(const unsigned char *clicks, std::size_t count, unsigned char *single,
                          std::vector<std::int64_t> &doubles);

// The same of words.
std::size_t single_words(const std::uint32_t *words, std::size_t count, std::uint32_t *single,
                         std::vector<std::int64_t> &doubles);

} // namespace keybeam

#endif
