#include "sifter.hpp"

namespace keybeam {

std::size_t sift_clicks(const SentSymbols &sent, const std::uint64_t *index,
                        const std::uint8_t *channel, const std::uint8_t *sampled,
                        std::size_t count, const Matching &matching) {
    std::size_t kept = 0;
    for (std::size_t place = 0; place < count; ++place) {
        const std::uint64_t pulse = index[place] - sent.first; // what is too early wraps around
        if (pulse >= sent.count) {
            continue;
        }
        const unsigned symbol = sent.pairs[pulse >> 1] >> (pulse & 1) * 4 & 15u;
        const unsigned intensity = symbol >> 2;
        const unsigned error = (symbol ^ channel[place]) & 1;
        // Written in any case, and kept or overwritten: every second click matches, by chance, which
        // no processor can foresee.
        matching.index[kept] = index[place];
        matching.intensity[kept] = static_cast<std::uint8_t>(intensity);
        matching.sampled[kept] = sampled[place];
        matching.bits[kept] =
            static_cast<std::uint8_t>((symbol & 1) | (channel[place] & 1u) << 1);
        matching.error[kept] = static_cast<std::uint8_t>(error);
        const bool same_basis = ((symbol ^ channel[place]) >> 1 & 1) == 0;
        kept += static_cast<std::size_t>(same_basis & (intensity != sent.invalid));
    }
    return kept;
}

} // namespace keybeam
