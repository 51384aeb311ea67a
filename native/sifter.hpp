// Sifting where both ends' records are in one place: clicks against the symbols that were sent.
#ifndef KEYBEAM_SIFTER_HPP
#define KEYBEAM_SIFTER_HPP

#include <cstddef>
#include <cstdint>

namespace keybeam {

// Symbols in the order of the pulses, two a byte, that of the earlier pulse in the low four bits.
// Bits 2 and 3 of a symbol are its intensity, bit 1 the basis and bit 0 the key bit.
struct SentSymbols {
    const std::uint8_t *pairs;
    std::uint64_t first; // pulse index of the first one
    std::uint64_t count;
    std::uint8_t invalid; // the intensity of a pulse that must not become key
};

// One array for each value of a matching click, with room for all clicks.
struct Matching {
    std::uint64_t *index;
    std::uint8_t *intensity;
    std::uint8_t *sampled;
    std::uint8_t *bits; // bit 0 is the one sent, bit 1 the one received
    std::uint8_t *error;
};

// Writes the clicks whose pulse was sent, is valid and has the basis of the detector; returns their
// number. Bit 1 of a channel is its basis, bit 0 the key bit. `sampled` has a mark for each click.
std::size_t sift_clicks(const SentSymbols &sent, const std::uint64_t *index,
                        const std::uint8_t *channel, const std::uint8_t *sampled,
                        std::size_t count, const Matching &matching);

} // namespace keybeam

#endif
