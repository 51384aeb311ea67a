#include "sifter.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "instruction_sets.hpp"

#if KEYBEAM_X86
#include <immintrin.h>
#endif

namespace keybeam {

namespace {

// Of a click: bit 0 whether the two bits differ, bit 1 whether the bases do, bits 2 and 3 the
// intensity, bit 4 whether it is sampled, bit 5 its basis.
constexpr std::size_t kKinds = 64;

constexpr unsigned kChannelBits = 2;

// What is counted of the basis that makes key, and of the one that checks.
enum Field : unsigned { kDecoy, kVacuum, kDecoyErrors, kSampled, kSampledErrors };
enum CheckField : unsigned { kSignals, kDecoys, kVacuums, kSignalErrors, kDecoysErrors };

// Several counts, each in twelve bits of one number.
constexpr unsigned kFieldBits = 12;
constexpr std::size_t kMost = (std::size_t{1} << kFieldBits) - 1;

std::uint64_t one(unsigned field) { return std::uint64_t{1} << (field * kFieldBits); }

std::uint64_t field_of(std::uint64_t counted, unsigned field) {
    return counted >> (field * kFieldBits) & kMost;
}

struct Counted {
    std::uint64_t key, check;
};

struct Table {
    std::array<Counted, kKinds> counted{};
    std::array<std::uint8_t, kKinds> is_bit{};

    explicit Table(const SiftRule &rule) {
        for (unsigned kind = 0; kind < kKinds; ++kind) {
            const bool error = kind & 1, other_basis = kind & 2, sampled = kind & 16;
            const bool checks = rule.check_bases >> (kind >> 5) & 1;
            if (!other_basis && checks && !sampled) {
                counted[kind].check = counted_to_check(rule, kind >> 2 & 3, error);
            } else if (!other_basis && !checks) {
                set_key(rule, kind, error, sampled);
            }
        }
    }

private:
    static std::uint64_t counted_to_check(const SiftRule &rule, unsigned intensity, bool error) {
        if (intensity == rule.signal) {
            return one(kSignals) + (error ? one(kSignalErrors) : 0);
        }
        if (intensity == rule.decoy) {
            return one(kDecoys) + (error ? one(kDecoysErrors) : 0);
        }
        return intensity == rule.vacuum ? one(kVacuums) : 0;
    }

    void set_key(const SiftRule &rule, unsigned kind, bool error, bool sampled) {
        const unsigned intensity = kind >> 2 & 3;
        std::uint64_t &count = counted[kind].key;
        if (intensity == rule.signal) {
            is_bit[kind] = !sampled;
            count = sampled ? one(kSampled) + (error ? one(kSampledErrors) : 0) : 0;
        } else if (intensity == rule.decoy && !sampled) {
            count = one(kDecoy) + (error ? one(kDecoyErrors) : 0);
        } else if (intensity == rule.vacuum && !sampled) {
            count = one(kVacuum);
        }
    }
};

void add(const Counted &counted, SiftCounts &counts) {
    counts.decoy += field_of(counted.key, kDecoy);
    counts.vacuum += field_of(counted.key, kVacuum);
    counts.decoy_errors += field_of(counted.key, kDecoyErrors);
    counts.sampled += field_of(counted.key, kSampled);
    counts.sampled_errors += field_of(counted.key, kSampledErrors);
    counts.check_signal += field_of(counted.check, kSignals);
    counts.check_decoy += field_of(counted.check, kDecoys);
    counts.check_vacuum += field_of(counted.check, kVacuums);
    counts.check_signal_errors += field_of(counted.check, kSignalErrors);
    counts.check_decoy_errors += field_of(counted.check, kDecoysErrors);
}

// What a part of the clicks is sifted into.
struct Bits {
    std::uint8_t *sent, *received;
    std::size_t filled;
};

// Sifts the clicks from `begin` up to `end`, at most kMost of them, which fit into the packet.
Counted sift_each(const SentSymbols &symbols, const PackedClicks &clicks, const Table &table,
                  std::size_t begin, std::size_t end, Bits &bits) {
    const SentSymbols held = symbols; // copies, which writing bytes cannot change
    const PackedClicks given = clicks;
    std::uint8_t *const sent = bits.sent, *const received = bits.received;
    std::size_t filled = bits.filled;
    const std::uint64_t apart = given.first - held.first; // what is too early wraps around
    Counted counted{};
    for (std::size_t place = begin; place < end; ++place) {
        const std::uint32_t word = given.words[place];
        const std::uint64_t pulse = apart + (word >> kChannelBits);
        if (pulse >= held.count) {
            continue;
        }
        const unsigned symbol = held.pairs[pulse >> 1] >> (pulse & 1) * 4 & 15u;
        const unsigned kind = (symbol & 12u) | ((symbol ^ word) & 3u) |
                              static_cast<unsigned>(given.sampled[place] & 1) << 4 |
                              (word & 2u) << 4;
        // Written in any case, and kept or overwritten: which clicks match, no processor can foresee.
        sent[filled] = static_cast<std::uint8_t>(symbol & 1);
        received[filled] = static_cast<std::uint8_t>(word & 1);
        filled += table.is_bit[kind];
        counted.key += table.counted[kind].key;
        counted.check += table.counted[kind].check;
    }
    bits.filled = filled;
    return counted;
}

#if KEYBEAM_X86
#pragma GCC diagnostic push
// GCC 12 warns of values that its own headers leave open on purpose.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
constexpr std::size_t kLanes = 16;
// Bytes in which sixteen symbols are looked for: four are read for each.
constexpr std::uint64_t kReadBytes = 4;


KEYBEAM_AVX512 inline std::uint64_t number(__mmask16 mask) {
    return static_cast<std::uint64_t>(__builtin_popcount(mask));
}

// Sifts sixteen clicks after another as long as all their pulses were sent, and gives the place of the
// first that was not taken.
KEYBEAM_AVX512 std::size_t sift_vectors(const SentSymbols &symbols, const PackedClicks &clicks,
                         const SiftRule &rule, std::size_t begin, std::size_t end, Bits &bits,
                         SiftCounts &counts) {
    const std::uint64_t apart = clicks.first - symbols.first;
    if (apart >= symbols.count || (symbols.count >> 1) < (apart >> 1) + kReadBytes) {
        return begin;
    }
    const std::uint8_t *pairs = symbols.pairs + (apart >> 1);
    const std::uint64_t room = (symbols.count >> 1) - (apart >> 1) - kReadBytes;
    const auto last_byte = static_cast<std::uint32_t>(std::min<std::uint64_t>(room, 1u << 30));
    const __m512i odd = _mm512_set1_epi32(static_cast<int>(apart & 1));
    const __m512i last = _mm512_set1_epi32(static_cast<int>(last_byte));
    const __m512i one = _mm512_set1_epi32(1), two = _mm512_set1_epi32(2);
    const __m512i twelve = _mm512_set1_epi32(12);
    const __m512i signal = _mm512_set1_epi32(static_cast<int>(rule.signal << 2));
    const __m512i decoy = _mm512_set1_epi32(static_cast<int>(rule.decoy << 2));
    const __m512i vacuum = _mm512_set1_epi32(static_cast<int>(rule.vacuum << 2));
    const __mmask16 checks_first = rule.check_bases & 1 ? 0xffff : 0;
    const __mmask16 checks_second = rule.check_bases & 2 ? 0xffff : 0;
    std::size_t place = begin, filled = bits.filled;
    SiftCounts found{};
    for (; place + kLanes <= end; place += kLanes) {
        const __m512i words = _mm512_loadu_si512(clicks.words + place);
        const __m512i pulses = _mm512_add_epi32(_mm512_srli_epi32(words, kChannelBits), odd);
        const __m512i bytes = _mm512_srli_epi32(pulses, 1);
        if (_mm512_cmpgt_epu32_mask(bytes, last) != 0) {
            break;
        }
        const __m512i read = _mm512_i32gather_epi32(bytes, pairs, 1);
        const __m512i shift = _mm512_slli_epi32(_mm512_and_si512(pulses, one), 2);
        const __m512i symbol = _mm512_srlv_epi32(read, shift);
        const __m512i differ = _mm512_xor_si512(symbol, words);
        const __m512i intensity = _mm512_and_si512(symbol, twelve);
        const __mmask16 wrong = _mm512_test_epi32_mask(differ, one);
        const __mmask16 same = _mm512_testn_epi32_mask(differ, two);
        const __mmask16 second = _mm512_test_epi32_mask(words, two);
        const __m128i marks =
            _mm_loadu_si128(reinterpret_cast<const __m128i *>(clicks.sampled + place));
        const __mmask16 sampled = _mm_test_epi8_mask(marks, _mm_set1_epi8(1));
        const __mmask16 checks = static_cast<__mmask16>((checks_first & ~second) |
                                                        (checks_second & second));
        const __mmask16 key = same & ~checks, check = same & checks & ~sampled;
        const __mmask16 is_signal = _mm512_cmpeq_epi32_mask(intensity, signal);
        const __mmask16 is_decoy = _mm512_cmpeq_epi32_mask(intensity, decoy);
        const __mmask16 is_vacuum = _mm512_cmpeq_epi32_mask(intensity, vacuum);
        const __mmask16 kept = key & ~sampled, revealed = key & sampled & is_signal;
        const __mmask16 is_bit = kept & is_signal;
        found.decoy += number(kept & is_decoy);
        found.decoy_errors += number(kept & is_decoy & wrong);
        found.vacuum += number(kept & is_vacuum);
        found.sampled += number(revealed);
        found.sampled_errors += number(revealed & wrong);
        if (check != 0) {
            found.check_signal += number(check & is_signal);
            found.check_signal_errors += number(check & is_signal & wrong);
            found.check_decoy += number(check & is_decoy);
            found.check_decoy_errors += number(check & is_decoy & wrong);
            found.check_vacuum += number(check & is_vacuum);
        }
        // Sixteen are written, and those behind the last one written over.
        const __m512i low = _mm512_or_si512(
            _mm512_and_si512(symbol, one),
            _mm512_slli_epi32(_mm512_and_si512(words, one), 8));
        const __m512i both = _mm512_maskz_compress_epi32(is_bit, low);
        const __m128i sent = _mm512_cvtepi32_epi8(_mm512_and_si512(both, one));
        const __m128i received = _mm512_cvtepi32_epi8(_mm512_srli_epi32(both, 8));
        _mm_storeu_si128(reinterpret_cast<__m128i *>(bits.sent + filled), sent);
        _mm_storeu_si128(reinterpret_cast<__m128i *>(bits.received + filled), received);
        filled += number(is_bit);
    }
    bits.filled = filled;
    counts.decoy += found.decoy;
    counts.vacuum += found.vacuum;
    counts.decoy_errors += found.decoy_errors;
    counts.sampled += found.sampled;
    counts.sampled_errors += found.sampled_errors;
    counts.check_signal += found.check_signal;
    counts.check_decoy += found.check_decoy;
    counts.check_vacuum += found.check_vacuum;
    counts.check_signal_errors += found.check_signal_errors;
    counts.check_decoy_errors += found.check_decoy_errors;
    return place;
}

#pragma GCC diagnostic pop

const bool kHasVectors = __builtin_cpu_supports("avx512dq") &&
                         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
#endif

} // namespace

std::size_t sift_clicks(const SentSymbols &symbols, const SiftRule &rule,
                        const PackedClicks &clicks, std::size_t packet_bits, std::uint8_t *sent,
                        std::uint8_t *received, SiftCounts &counts, bool vectors) {
    const Table table(rule);
    Bits bits{sent, received, static_cast<std::size_t>(counts.bits)};
    std::size_t taken = 0;
    while (taken < clicks.count && bits.filled < packet_bits) {
        // So many that neither the packet nor a count can overflow.
        std::size_t end = taken + std::min(clicks.count - taken, packet_bits - bits.filled);
#if KEYBEAM_X86
        if (vectors && kHasVectors) {
            taken = sift_vectors(symbols, clicks, rule, taken, end, bits, counts);
            end = std::min(end, taken + kLanes);
        }
#endif
        end = std::min(end, taken + kMost);
        add(sift_each(symbols, clicks, table, taken, end, bits), counts);
        taken = end;
    }
    counts.bits = bits.filled;
    return taken;
}

} // namespace keybeam
