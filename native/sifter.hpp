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

// The values of bits 2 and 3 that are signal, decoy and vacuum; any other is that of a pulse that must
// not become key. Clicks of a basis that is in `check_bases`, by its bit, make no key but are counted
// apart.
struct SiftRule {
    unsigned signal, decoy, vacuum;
    unsigned check_bases;
};

// Clicks that are near to one another: each is the number of pulses after the first one times four,
// and its channel, whose bit 1 is the basis and bit 0 the key bit. The byte drawn for each says whether
// its bit is revealed: bit 0.
struct PackedClicks {
    const std::uint32_t *words;
    std::uint64_t first; // pulse index from which the words count
    const std::uint8_t *sampled;
    std::size_t count;
};

// Counts of clicks whose pulse was sent and has the basis of the detector, and that are not sampled,
// but for those two. `bits` are the signal clicks that make key.
struct SiftCounts {
    std::uint64_t bits, decoy, vacuum, decoy_errors, sampled, sampled_errors;
    std::uint64_t check_signal, check_decoy, check_vacuum, check_signal_errors, check_decoy_errors;
};

// Adds the bits of signal clicks that are not sampled to `sent` and `received`, one a byte, which
// have room for `packet_bits` and hold `counts.bits`; stops behind the click that fills them. Returns
// the number of clicks taken. Without `vectors` the portable kernel does it, with the same outcome.
std::size_t sift_clicks(const SentSymbols &symbols, const SiftRule &rule,
                        const PackedClicks &clicks, std::size_t packet_bits, std::uint8_t *sent,
                        std::uint8_t *received, SiftCounts &counts, bool vectors);

} // namespace keybeam

#endif
