// Sifting where both ends' records are in one place: from clicks and the symbols that were sent to
// the bits of a packet.
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
};

// The values of bits 2 and 3; any other is that of a pulse that must not become key.
struct Intensities {
    unsigned signal, decoy, vacuum;
};

// Clicks, each of `stride` bytes: uint64 pulse index, then uint8 channel, whose bit 1 is the basis
// and bit 0 the key bit; and a mark for each, whether its bit is revealed.
struct ClickBytes {
    const unsigned char *clicks;
    std::size_t stride;
    const std::uint8_t *sampled;
    std::size_t count;
};

// Counts of clicks whose pulse was sent and has the basis of the detector.
struct SiftCounts {
    std::uint64_t bits, decoy, vacuum, decoy_errors, sampled, sampled_errors;
};

// Adds the bits of signal clicks that are not sampled to `sent` and `received`, one a byte, which
// have room for `packet_bits` and hold `counts.bits`; stops behind the click that fills them. Returns
// the number of clicks taken.
std::size_t sift_clicks(const SentSymbols &symbols, const Intensities &intensities,
                        const ClickBytes &clicks, std::size_t packet_bits, std::uint8_t *sent,
                        std::uint8_t *received, SiftCounts &counts);

} // namespace keybeam

#endif
