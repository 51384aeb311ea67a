#include "click_finder.hpp"

#include <cmath>
#include <cstring>

#include "tag_decoder.hpp"

namespace keybeam {

namespace {

constexpr std::size_t kChannelAt = 8, kPhaseAt = 9;
constexpr unsigned kRectilinear = 0b0011, kDiagonal = 0b1100;

template <typename Value> Value load(const unsigned char *bytes) {
    Value value;
    std::memcpy(&value, bytes, sizeof value);
    return value;
}

template <typename Value> void store(unsigned char *bytes, Value value) {
    std::memcpy(bytes, &value, sizeof value);
}

} // namespace

Placed place_tags(const FrameLayout &layout, const FrameStarts &frames, const unsigned char *tags,
                  std::size_t count, unsigned char *clicks, unsigned char *later) {
    Placed placed{0, 0, 0, 0};
    if (frames.count == 0) {
        std::memcpy(later, tags, count * kTagBytes);
        placed.after = count;
        return placed;
    }
    const std::size_t last = frames.count - 1;
    std::size_t frame = 0;
    for (std::size_t place = 0; place < count; ++place) {
        const unsigned char *tag = tags + place * kTagBytes;
        const std::int64_t steps = load<std::int64_t>(tag) - frames.origin;
        const double time = static_cast<double>(steps) * layout.step_ps + frames.shift_ps;
        // Tags come in order but for the merge's jitter: the frame is that of the tag before, or
        // near it.
        while (frame < last && frames.starts[frame + 1] <= time) {
            ++frame;
        }
        while (frame > 0 && frames.starts[frame] > time) {
            --frame;
        }
        if (frames.starts[frame] > time) {
            ++placed.before;
            continue;
        }
        if (frame == last) {
            std::memcpy(later + placed.after++ * kTagBytes, tag, kTagBytes);
            continue;
        }
        ++placed.inside;
        if (!frames.key[frame]) {
            continue;
        }
        const auto nominal = static_cast<std::int64_t>(frame) * layout.frame_steps;
        const double since = static_cast<double>(steps - nominal) * layout.step_ps +
                             frames.shift_ps - frames.deviations[frame];
        const double duration =
            layout.frame_ps + frames.deviations[frame + 1] - frames.deviations[frame];
        const double scaled = since / duration * layout.frame_slots;
        const double slot =
            std::fmin(std::fmax(std::floor(scaled), 0.0), layout.frame_slots - 1.0);
        unsigned char *click = clicks + placed.clicks++ * kClickBytes;
        store<std::uint64_t>(click, (frames.counter + frame) *
                                            static_cast<std::uint64_t>(layout.frame_slots) +
                                        static_cast<std::uint64_t>(slot));
        click[kChannelAt] = tag[8];
        store(click + kPhaseAt, static_cast<float>((scaled - slot - 0.5) * layout.slot_ps));
    }
    return placed;
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
