#include "click_finder.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "instruction_sets.hpp"

namespace keybeam {

namespace {

constexpr std::size_t kChannelAt = 8, kPhaseAt = 9;
constexpr unsigned kChannelBits = 2;
constexpr std::uint32_t kChannelMask = (1u << kChannelBits) - 1;
constexpr unsigned kRectilinear = 0b0011, kDiagonal = 0b1100;

template <typename Value> Value load(const unsigned char *bytes) {
    Value value;
    std::memcpy(&value, bytes, sizeof value);
    return value;
}

template <typename Value> void store(unsigned char *bytes, Value value) {
    std::memcpy(bytes, &value, sizeof value);
}

// Records that are placed together, where they are tags of one frame.
constexpr std::size_t kBlock = 64;

// A frame, with all that its tags are placed by.
struct OpenFrame {
    std::size_t number;
    std::int64_t low, high; // steps after the origin from which on, and before which, its tags lie
    std::int64_t nominal;   // steps after the origin of its nominal start
    double deviation;       // of its start from that, in picoseconds
    double slots_per_ps;    // slots over its duration
    std::uint64_t first;    // index of its first pulse
};

// What a block of words is placed by.
struct BlockRule {
    std::uint64_t time_mask, head, last_channel;
    unsigned time_bits;
    std::uint64_t lowest;  // time of the first step of the frame
    std::uint64_t longest; // most steps after that
    double low;            // the first step of the frame after its nominal start
    std::uint64_t first_index; // of the frame's first pulse
    std::uint32_t first_word;  // the same after the first pulse of the gate
    double step_ps, shift_ps, deviation, slots_per_ps, frame_slots, slot_ps;
    float narrow_slot_ps, delay_ps, half_width_ps;
};

struct Block {
    std::int32_t since[kBlock];
    double scaled[kBlock];
    std::int32_t slot[kBlock];
    float phase[kBlock];
    std::uint8_t channel[kBlock];
    std::uint8_t kept[kBlock];
    // A click as it is written without a gate: two words, of which the last three bytes are nothing.
    std::uint64_t index[kBlock];
    std::uint64_t rest[kBlock];
    std::uint32_t word[kBlock]; // the same behind one
};

// Finds when the tags of a block lie in the frame; false unless all words are tags in it.
inline bool find_since(const BlockRule &rule, const unsigned char *words, Block &block) {
    std::uint64_t bad = 0; // its top bit is set by what is less than zero
    for (std::size_t place = 0; place < kBlock; ++place) {
        const auto word = load<std::uint64_t>(words + 8 * place);
        const std::uint64_t channel = (word >> rule.time_bits) - rule.head;
        const std::uint64_t since = (word - rule.lowest) & rule.time_mask;
        bad |= channel | (rule.last_channel - channel) | (rule.longest - since);
        block.since[place] = static_cast<std::int32_t>(since);
        block.channel[place] = static_cast<std::uint8_t>(channel);
    }
    return bad >> 63 == 0;
}

inline void find_slots(const BlockRule &rule, Block &block) {
    // Copies, which writing to the block cannot change, and loops apart by the size of their values:
    // so compilers find them fit for vectors.
    const double low = rule.low, step = rule.step_ps, shift = rule.shift_ps;
    const double deviation = rule.deviation, slots_per_ps = rule.slots_per_ps;
    const auto most = static_cast<std::int32_t>(rule.frame_slots) - 1;
    for (std::size_t place = 0; place < kBlock; ++place) {
        const double since =
            (static_cast<double>(block.since[place]) + low) * step + shift - deviation;
        block.scaled[place] = since * slots_per_ps;
    }
    for (std::size_t place = 0; place < kBlock; ++place) {
        // What is cut off is the fraction, but below zero, where slot 0 is taken anyway.
        std::int32_t slot = static_cast<std::int32_t>(block.scaled[place]);
        slot = slot > 0 ? slot : 0;
        block.slot[place] = slot < most ? slot : most;
    }
    for (std::size_t place = 0; place < kBlock; ++place) {
        const double slot = block.slot[place];
        block.phase[place] =
            static_cast<float>((block.scaled[place] - slot - 0.5) * rule.slot_ps);
    }
}

inline void find_gated(const BlockRule &rule, Block &block) {
    for (std::size_t place = 0; place < kBlock; ++place) {
        const float moved = block.phase[place] - rule.delay_ps;
        const float slots = std::rint(moved / rule.narrow_slot_ps);
        const float phase = moved - slots * rule.narrow_slot_ps;
        block.slot[place] += static_cast<std::int32_t>(slots);
        block.phase[place] = phase;
        block.kept[place] = std::fabs(phase) <= rule.half_width_ps;
    }
}

inline void make_words(const BlockRule &rule, Block &block) {
    const std::uint64_t first = rule.first_index;
    for (std::size_t place = 0; place < kBlock; ++place) {
        block.index[place] = first + static_cast<std::uint64_t>(std::int64_t{block.slot[place]});
    }
    for (std::size_t place = 0; place < kBlock; ++place) {
        std::uint32_t phase;
        std::memcpy(&phase, &block.phase[place], sizeof phase);
        block.rest[place] = std::uint64_t{phase} << 8 | block.channel[place];
    }
}

inline void make_packed(const BlockRule &rule, Block &block) {
    const std::uint32_t first = rule.first_word;
    for (std::size_t place = 0; place < kBlock; ++place) {
        const std::uint32_t pulses = first + static_cast<std::uint32_t>(block.slot[place]);
        block.word[place] = pulses << kChannelBits | block.channel[place];
    }
}

inline bool place_block(const BlockRule &rule, const unsigned char *words, bool gated,
                        Block &block) {
    if (!find_since(rule, words, block)) {
        return false;
    }
    find_slots(rule, block);
    if (gated) {
        find_gated(rule, block);
        make_packed(rule, block);
    } else {
        make_words(rule, block);
    }
    return true;
}

// Whether all words of a block are tags from the rule's first step on; finds the earliest after it.
inline bool is_later(const BlockRule &rule, const unsigned char *words, std::uint64_t &earliest) {
    std::uint64_t bad = 0, least = rule.longest; // the top bit of the former is set as above
    for (std::size_t place = 0; place < kBlock; ++place) {
        const auto word = load<std::uint64_t>(words + 8 * place);
        const std::uint64_t channel = (word >> rule.time_bits) - rule.head;
        const std::uint64_t since = (word - rule.lowest) & rule.time_mask;
        bad |= channel | (rule.last_channel - channel) | (rule.longest - since);
        least = std::min(least, since);
    }
    earliest = least;
    return bad >> 63 == 0;
}

using PlaceBlock = bool (*)(const BlockRule &, const unsigned char *, bool, Block &);
using IsLater = bool (*)(const BlockRule &, const unsigned char *, std::uint64_t &);

#define KEYBEAM_KERNELS(name, attributes)                                                        \
    attributes bool place_block_##name(const BlockRule &rule, const unsigned char *words,        \
                                       bool gated, Block &block) {                               \
        return place_block(rule, words, gated, block);                                           \
    }                                                                                            \
    attributes bool is_later_##name(const BlockRule &rule, const unsigned char *words,           \
                                    std::uint64_t &earliest) {                                   \
        return is_later(rule, words, earliest);                                                  \
    }

KEYBEAM_KERNELS(portable, )
#if KEYBEAM_X86
KEYBEAM_KERNELS(avx2, KEYBEAM_AVX2)
KEYBEAM_KERNELS(avx512, KEYBEAM_AVX512)
#endif

const PlaceBlock kPlaceBlock = KEYBEAM_BEST(place_block);
const IsLater kIsLater = KEYBEAM_BEST(is_later);

// Counts of clicks in seconds.
class Seconds {
  public:
    Seconds(std::uint64_t slots, std::uint64_t first_pulse)
        : slots_(slots), first_(first_pulse / slots) {}

    std::uint64_t first() const { return first_; }

    void add(std::vector<std::int64_t> &counts, std::uint64_t index, std::size_t count) const {
        const std::size_t second = static_cast<std::size_t>(index / slots_ - first_);
        if (counts.size() <= second) {
            counts.resize(second + 1);
        }
        counts[second] += static_cast<std::int64_t>(count);
    }

    // Whether all pulses from one on lie in the same second.
    bool are_one(std::uint64_t index, std::uint64_t pulses) const {
        return index % slots_ + pulses <= slots_;
    }

  private:
    std::uint64_t slots_, first_;
};

class Placer {
  public:
    Placer(const FrameLayout &layout, const FrameStarts &frames, const RecordFields &fields,
           const PackedTags &tags, const ClickGate *gate, unsigned char *clicks,
           std::size_t room, unsigned char *later)
        : layout_(layout), frames_(frames), fields_(fields), tags_(tags), gate_(gate),
          seconds_(gate ? gate->second_slots : 1, first_pulse()), out_(clicks), room_(room),
          later_(later),
          time_mask_((std::uint64_t{1} << fields.time_bits) - 1),
          frame_slots_(static_cast<std::uint64_t>(layout.frame_slots)) {
        placed.earliest = INT64_MAX;
        placed.second = gate ? seconds_.first() : 0;
    }

    void place_all() {
        // Else times that are equal in their low bits could be different ones.
        const std::int64_t apart = tags_.base - frames_.origin;
        const std::int64_t quarter = std::int64_t{1} << (fields_.time_bits - 2);
        const bool comparable = -quarter < apart && apart < quarter && frames_.count > 1;
        if (comparable) {
            open(0);
            later_rule_ = later_rule();
        }
        bool late = false; // whether the block before was: mostly this one is, too
        for (std::size_t begin = 0; begin < tags_.count; begin += kBlock) {
            const std::size_t size = std::min(kBlock, tags_.count - begin);
            const unsigned char *words = tags_.words + 8 * begin;
            if (size == kBlock && comparable) {
                if (!late && place_together(words)) {
                    continue;
                }
                late = keep_together(words);
                if (late) {
                    continue;
                }
            }
            for (std::size_t place = 0; place < size; ++place) {
                place_one(words + 8 * place);
            }
            if (comparable && frame_ != open_.number && frame_ + 1 < frames_.count) {
                open(frame_);
            }
        }
    }

    Placed placed{};

  private:
    std::uint64_t first_pulse() const {
        const std::uint64_t first =
            frames_.counter * static_cast<std::uint64_t>(layout_.frame_slots);
        return first == 0 ? 0 : first - 1; // a delay can move clicks by one
    }

    double time_of(std::int64_t steps) const {
        return static_cast<double>(steps) * layout_.step_ps + frames_.shift_ps;
    }

    double slots_per_ps(std::size_t frame) const {
        const double duration =
            layout_.frame_ps + frames_.deviations[frame + 1] - frames_.deviations[frame];
        return layout_.frame_slots / duration;
    }

    // The first step that is not before a time.
    std::int64_t first_step(double time) const {
        auto step =
            static_cast<std::int64_t>(std::ceil((time - frames_.shift_ps) / layout_.step_ps));
        while (time_of(step - 1) >= time) {
            --step;
        }
        while (time_of(step) < time) {
            ++step;
        }
        return step;
    }

    void open(std::size_t frame) {
        open_.number = frame;
        open_.low = first_step(frames_.starts[frame]);
        open_.high = first_step(frames_.starts[frame + 1]);
        open_.nominal = static_cast<std::int64_t>(frame) * layout_.frame_steps;
        open_.deviation = frames_.deviations[frame];
        open_.slots_per_ps = slots_per_ps(frame);
        open_.first = (frames_.counter + frame) * frame_slots_;
        // All that a block adds to its clicks' indices stays within these.
        const std::uint64_t pulses = frame_slots_ + 2;
        whole_ = open_.high - open_.low <= INT32_MAX && open_.high > open_.low;
        if (gate_ != nullptr && frames_.key[frame]) {
            whole_ &= open_.first > 0 && open_.first - 1 + pulses <= gate_->end &&
                      seconds_.are_one(open_.first - 1, pulses);
        }
        rule_ = rule();
    }

    BlockRule rule() const {
        BlockRule rule{};
        rule.time_mask = time_mask_;
        rule.head = fields_.first_head;
        rule.last_channel = fields_.channels - 1;
        rule.time_bits = fields_.time_bits;
        rule.lowest = static_cast<std::uint64_t>(frames_.origin + open_.low);
        rule.longest = static_cast<std::uint64_t>(open_.high - open_.low - 1);
        rule.low = static_cast<double>(open_.low - open_.nominal);
        rule.step_ps = layout_.step_ps;
        rule.shift_ps = frames_.shift_ps;
        rule.deviation = open_.deviation;
        rule.slots_per_ps = open_.slots_per_ps;
        rule.first_index = open_.first;
        rule.frame_slots = layout_.frame_slots;
        rule.slot_ps = layout_.slot_ps;
        rule.narrow_slot_ps = static_cast<float>(layout_.slot_ps);
        if (gate_ != nullptr) {
            rule.first_word = static_cast<std::uint32_t>(open_.first - gate_->first);
            rule.delay_ps = gate_->delay_ps;
            rule.half_width_ps = gate_->half_width_ps;
        }
        return rule;
    }

    // What tags from the last start on are found by.
    BlockRule later_rule() const {
        BlockRule later = rule_;
        const std::int64_t low = first_step(frames_.starts[frames_.count - 1]);
        later.lowest = static_cast<std::uint64_t>(frames_.origin + low);
        later.longest = time_mask_ >> 2;
        return later;
    }

    bool keep_together(const unsigned char *words) {
        std::uint64_t earliest;
        if (!kIsLater(later_rule_, words, earliest)) {
            return false;
        }
        std::memcpy(later_ + 8 * placed.after, words, 8 * kBlock);
        placed.after += kBlock;
        placed.earliest = std::min(
            placed.earliest, static_cast<std::int64_t>(later_rule_.lowest + earliest));
        return true;
    }

    bool place_together(const unsigned char *words) {
        Block block;
        const bool fits = gate_ != nullptr || (placed.clicks + kBlock + 1) * kClickBytes <= room_;
        if (!whole_ || !fits || !kPlaceBlock(rule_, words, gate_ != nullptr, block)) {
            return false;
        }
        placed.inside += kBlock;
        frame_ = open_.number;
        if (!frames_.key[frame_]) {
            return true;
        }
        placed.wanted += kBlock;
        const std::size_t before = placed.clicks;
        placed.clicks += gate_ == nullptr ? write_block(block) : write_gated(block);
        if (gate_ != nullptr) {
            seconds_.add(placed.placed_in, open_.first - 1, kBlock);
            seconds_.add(placed.gated_in, open_.first - 1, placed.clicks - before);
        }
        return true;
    }

    void place_one(const unsigned char *bytes) {
        const auto word = load<std::uint64_t>(bytes);
        const std::uint64_t channel = (word >> fields_.time_bits) - fields_.first_head;
        if (channel >= fields_.channels) {
            return;
        }
        const unsigned spare = 64 - fields_.time_bits;
        const std::uint64_t apart = word - static_cast<std::uint64_t>(tags_.base);
        const std::int64_t tag_time =
            tags_.base + (static_cast<std::int64_t>(apart << spare) >> spare);
        if (frames_.count == 0) {
            keep(word, tag_time);
            return;
        }
        const std::int64_t steps = tag_time - frames_.origin;
        const double time = time_of(steps);
        const std::size_t last = frames_.count - 1;
        // Tags come in order but for the merge's jitter: the frame is that of the tag before, or
        // near it.
        while (frame_ < last && frames_.starts[frame_ + 1] <= time) {
            ++frame_;
        }
        while (frame_ > 0 && frames_.starts[frame_] > time) {
            --frame_;
        }
        if (frames_.starts[frame_] > time) {
            ++placed.before;
        } else if (frame_ == last) {
            keep(word, tag_time);
        } else {
            ++placed.inside;
            if (frames_.key[frame_]) {
                ++placed.wanted;
                place_in_frame(steps, static_cast<std::uint8_t>(channel));
            }
        }
    }

    void keep(std::uint64_t word, std::int64_t time) {
        store(later_ + 8 * placed.after++, word);
        placed.earliest = std::min(placed.earliest, time);
    }

    void place_in_frame(std::int64_t steps, std::uint8_t channel) {
        const auto nominal = static_cast<std::int64_t>(frame_) * layout_.frame_steps;
        const double deviation = frames_.deviations[frame_];
        const double since =
            static_cast<double>(steps - nominal) * layout_.step_ps + frames_.shift_ps - deviation;
        const double scaled = since * slots_per_ps(frame_);
        const double slot =
            std::fmin(std::fmax(std::floor(scaled), 0.0), layout_.frame_slots - 1.0);
        const std::uint64_t index =
            (frames_.counter + frame_) * frame_slots_ + static_cast<std::uint64_t>(slot);
        const float phase = static_cast<float>((scaled - slot - 0.5) * layout_.slot_ps);
        if (gate_ == nullptr) {
            write(index, channel, phase);
            ++placed.clicks;
        } else {
            gate(index, channel, phase);
        }
    }

    void gate(std::uint64_t index, std::uint8_t channel, float phase) {
        const float slot_ps = static_cast<float>(layout_.slot_ps);
        const float moved = phase - gate_->delay_ps;
        const float slots = std::rint(moved / slot_ps);
        const float left = moved - slots * slot_ps;
        const std::uint64_t aligned =
            index + static_cast<std::uint64_t>(static_cast<std::int64_t>(slots));
        if (aligned >= gate_->end) {
            ++placed.beyond;
            return;
        }
        seconds_.add(placed.placed_in, aligned, 1);
        if (std::fabs(left) <= gate_->half_width_ps) {
            seconds_.add(placed.gated_in, aligned, 1);
            const auto pulses = static_cast<std::uint32_t>(aligned - gate_->first);
            store(out_ + placed.clicks++ * sizeof(std::uint32_t), pulses << kChannelBits | channel);
        }
    }

    // Writes the clicks of a block and gives their number. Each takes three bytes more than it has,
    // which the next one takes back.
    std::size_t write_block(const Block &block) {
        unsigned char *out = out_ + placed.clicks * kClickBytes;
        for (std::size_t place = 0; place < kBlock; ++place, out += kClickBytes) {
            store(out, block.index[place]);
            store(out + kChannelAt, block.rest[place]);
        }
        return kBlock;
    }

    // The same of those that the gate keeps. All are written, and those that are not kept written
    // over: no processor can foresee which these are.
    std::size_t write_gated(const Block &block) {
        constexpr std::size_t bytes = sizeof(std::uint32_t);
        unsigned char *const begin = out_ + placed.clicks * bytes;
        unsigned char *out = begin;
        for (std::size_t place = 0; place < kBlock; ++place) {
            store(out, block.word[place]);
            out += block.kept[place] * bytes;
        }
        return static_cast<std::size_t>(out - begin) / bytes;
    }

    void write(std::uint64_t index, std::uint8_t channel, float phase) {
        unsigned char *click = out_ + placed.clicks * kClickBytes;
        store(click, index);
        click[kChannelAt] = channel;
        store(click + kPhaseAt, phase);
    }

    const FrameLayout &layout_;
    const FrameStarts &frames_;
    const RecordFields &fields_;
    const PackedTags &tags_;
    const ClickGate *gate_;
    Seconds seconds_;
    unsigned char *out_;
    std::size_t room_; // bytes
    unsigned char *later_;
    std::uint64_t time_mask_, frame_slots_;
    std::size_t frame_ = 0;
    bool whole_ = false; // whether the open frame's tags may be placed together
    OpenFrame open_{};
    BlockRule rule_{}, later_rule_{};
};

} // namespace

Placed place_tags(const FrameLayout &layout, const FrameStarts &frames, const RecordFields &fields,
                  const PackedTags &tags, const ClickGate *gate, unsigned char *clicks,
                  std::size_t room, unsigned char *later) {
    Placer placer(layout, frames, fields, tags, gate, clicks, room, later);
    placer.place_all();
    return std::move(placer.placed);
}

std::size_t gate_clicks(const unsigned char *clicks, std::size_t count, float slot_ps,
                        float delay_ps, float half_width_ps, unsigned char *gated) {
    std::size_t kept = 0;
    for (std::size_t place = 0; place < count; ++place) {
        const unsigned char *click = clicks + place * kClickBytes;
        const float moved = load<float>(click + kPhaseAt) - delay_ps;
        const float slots = std::nearbyint(moved / slot_ps);
        const float phase = moved - slots * slot_ps;
        if (std::fabs(phase) > half_width_ps) {
            continue;
        }
        unsigned char *out = gated + kept++ * kClickBytes;
        store(out, load<std::uint64_t>(click) +
                       static_cast<std::uint64_t>(static_cast<std::int64_t>(slots)));
        out[kChannelAt] = click[kChannelAt];
        store(out + kPhaseAt, phase);
    }
    return kept;
}

ClickOrder order_of(const unsigned char *clicks, std::size_t count) {
    bool less = false, same = false;
    for (std::size_t place = 1; place < count; ++place) {
        const auto before = load<std::uint64_t>(clicks + (place - 1) * kClickBytes);
        const auto index = load<std::uint64_t>(clicks + place * kClickBytes);
        less |= index < before;
        same |= index == before;
    }
    return less ? ClickOrder::mixed : same ? ClickOrder::equal : ClickOrder::rising;
}

ClickOrder order_of_words(const std::uint32_t *words, std::size_t count) {
    std::uint32_t less = 0, same = 0;
    for (std::size_t place = 1; place < count; ++place) {
        const std::uint32_t before = words[place - 1] >> kChannelBits;
        const std::uint32_t pulses = words[place] >> kChannelBits;
        less |= pulses < before;
        same |= pulses == before;
    }
    return less ? ClickOrder::mixed : same ? ClickOrder::equal : ClickOrder::rising;
}

std::size_t pack_clicks(const unsigned char *clicks, std::size_t count, std::uint32_t *words) {
    constexpr std::uint64_t most = std::uint64_t{1} << (32 - kChannelBits);
    std::uint64_t first = 0;
    for (std::size_t place = 0; place < count; ++place) {
        const unsigned char *click = clicks + place * kClickBytes;
        const auto index = load<std::uint64_t>(click);
        first = place == 0 ? index : first;
        if (index - first >= most) {
            return place;
        }
        words[place] = static_cast<std::uint32_t>(index - first) << kChannelBits |
                       (click[kChannelAt] & kChannelMask);
    }
    return count;
}

std::size_t single_words(const std::uint32_t *words, std::size_t count, std::uint32_t *single,
                         std::vector<std::int64_t> &doubles) {
    if (order_of_words(words, count) == ClickOrder::mixed) {
        return count + 1;
    }
    std::size_t kept = 0;
    for (std::size_t place = 0; place < count;) {
        const std::uint32_t first = words[place];
        unsigned seen = 0;
        for (; place < count && words[place] >> kChannelBits == first >> kChannelBits; ++place) {
            seen |= 1u << (words[place] & kChannelMask);
        }
        const unsigned rectilinear = seen & kRectilinear, diagonal = seen & kDiagonal;
        const bool both = rectilinear != 0 && diagonal != 0;
        if (rectilinear == kRectilinear || diagonal == kDiagonal) {
            doubles.push_back(both ? -1 : static_cast<std::int64_t>(kept));
        }
        if (!both) {
            single[kept++] = first;
        }
    }
    return kept;
}

std::size_t single_clicks(const unsigned char *clicks, std::size_t count, unsigned char *single,
                          std::vector<std::int64_t> &doubles) {
    for (std::size_t place = 1; place < count; ++place) {
        if (load<std::uint64_t>(clicks + place * kClickBytes) <
            load<std::uint64_t>(clicks + (place - 1) * kClickBytes)) {
            return count + 1;
        }
    }
    std::size_t kept = 0;
    for (std::size_t place = 0; place < count;) {
        const unsigned char *first = clicks + place * kClickBytes;
        const auto index = load<std::uint64_t>(first);
        unsigned seen = 0;
        for (; place < count && load<std::uint64_t>(clicks + place * kClickBytes) == index;
             ++place) {
            seen |= 1u << clicks[place * kClickBytes + kChannelAt];
        }
        const unsigned rectilinear = seen & kRectilinear, diagonal = seen & kDiagonal;
        const bool both = rectilinear != 0 && diagonal != 0;
        if (rectilinear == kRectilinear || diagonal == kDiagonal) {
            doubles.push_back(both ? -1 : static_cast<std::int64_t>(kept));
        }
        if (!both) {
            std::memcpy(single + kept++ * kClickBytes, first, kClickBytes);
        }
    }
    return kept;
}

} // namespace keybeam
