#include "sifter.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace keybeam {

namespace {

// Of a click: bit 0 whether the two bits differ, bit 1 whether the bases do, bits 2 and 3 the
// intensity, bit 4 whether it is sampled.
constexpr std::size_t kKinds = 32;

// The counts but for the bits, each in twelve bits of one number.
constexpr unsigned kFieldBits = 12;
constexpr std::size_t kMost = (std::size_t{1} << kFieldBits) - 1;

enum Field : unsigned { kDecoy, kVacuum, kDecoyErrors, kSampled, kSampledErrors };

std::uint64_t one(Field field) { return std::uint64_t{1} << (field * kFieldBits); }

struct Table {
    std::array<std::uint64_t, kKinds> counted{};
    std::array<std::uint8_t, kKinds> is_bit{};

    explicit Table(const Intensities &intensities) {
        for (unsigned kind = 0; kind < kKinds; ++kind) {
            const bool error = kind & 1, other_basis = kind & 2, sampled = kind & 16;
            const unsigned intensity = kind >> 2 & 3;
            if (other_basis) {
                continue;
            }
            if (intensity == intensities.signal) {
                is_bit[kind] = !sampled;
                counted[kind] = sampled ? one(kSampled) + (error ? one(kSampledErrors) : 0) : 0;
            } else if (intensity == intensities.decoy && !sampled) {
                counted[kind] = one(kDecoy) + (error ? one(kDecoyErrors) : 0);
            } else if (intensity == intensities.vacuum && !sampled) {
                counted[kind] = one(kVacuum);
            }
        }
    }
};

std::uint64_t field_of(std::uint64_t counted, Field field) {
    return counted >> (field * kFieldBits) & kMost;
}

} // namespace

std::size_t sift_clicks(const SentSymbols &symbols, const Intensities &intensities,
                        const ClickBytes &clicks, std::size_t packet_bits, std::uint8_t *sent,
                        std::uint8_t *received, SiftCounts &counts) {
    const Table table(intensities);
    const SentSymbols held = symbols; // copies, which writing bytes cannot change
    const ClickBytes given = clicks;
    std::size_t taken = 0, filled = counts.bits;
    while (taken < given.count && filled < packet_bits) {
        // So many that neither the packet nor a count can overflow.
        const std::size_t end =
            taken + std::min({given.count - taken, packet_bits - filled, kMost});
        std::uint64_t counted = 0;
        for (; taken < end; ++taken) {
            const unsigned char *click = given.clicks + taken * given.stride;
            std::uint64_t index;
            std::memcpy(&index, click, sizeof index);
            const std::uint64_t pulse = index - held.first; // what is too early wraps around
            if (pulse >= held.count) {
                continue;
            }
            const unsigned symbol = held.pairs[pulse >> 1] >> (pulse & 1) * 4 & 15u;
            const unsigned channel = click[sizeof index];
            const unsigned kind = (symbol & 12u) | ((symbol ^ channel) & 3u) |
                                  static_cast<unsigned>(given.sampled[taken] & 1) << 4;
            // Written in any case, and kept or overwritten: every second click matches, by chance,
            // which no processor can foresee.
            sent[filled] = static_cast<std::uint8_t>(symbol & 1);
            received[filled] = static_cast<std::uint8_t>(channel & 1);
            filled += table.is_bit[kind];
            counted += table.counted[kind];
        }
        counts.decoy += field_of(counted, kDecoy);
        counts.vacuum += field_of(counted, kVacuum);
        counts.decoy_errors += field_of(counted, kDecoyErrors);
        counts.sampled += field_of(counted, kSampled);
        counts.sampled_errors += field_of(counted, kSampledErrors);
    }
    counts.bits = filled;
    return taken;
}

} // namespace keybeam
