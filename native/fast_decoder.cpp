#include "fast_decoder.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "aligned_buffer.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define KEYBEAM_X86 1
#else
#define KEYBEAM_X86 0
#endif

namespace keybeam {
namespace {

// Values lie in columns of circulant + 128 bytes: the first 64 once more behind the last, so that
// 64 from any place on can be read at once; the rest takes what is written too far.
constexpr std::size_t lane_count = 64;

namespace portable {

struct Lanes {
    std::int8_t value[lane_count];

    static Lanes load(const std::int8_t *from) {
        Lanes lanes;
        std::memcpy(lanes.value, from, lane_count);
        return lanes;
    }
    static Lanes zero() { return {}; }
    void store(std::int8_t *to) const { std::memcpy(to, value, lane_count); }

    template <typename Operation> static Lanes each(Operation operation) {
        Lanes lanes;
        for (std::size_t i = 0; i < lane_count; ++i) {
            lanes.value[i] = static_cast<std::int8_t>(operation(i));
        }
        return lanes;
    }
    static Lanes subtract(const Lanes &a, const Lanes &b) {
        return each([&](std::size_t i) { return std::clamp(a.value[i] - b.value[i], -128, 127); });
    }
    static Lanes add(const Lanes &a, const Lanes &b) {
        return each([&](std::size_t i) { return std::clamp(a.value[i] + b.value[i], -128, 127); });
    }
    static Lanes exclusive_or(const Lanes &a, const Lanes &b) {
        return each([&](std::size_t i) { return a.value[i] ^ b.value[i]; });
    }
    static Lanes negate_where_negative(const Lanes &a, const Lanes &sign) {
        return each([&](std::size_t i) { return sign.value[i] < 0 ? -a.value[i] : a.value[i]; });
    }
    bool none_negative() const {
        return std::all_of(value, value + lane_count, [](std::int8_t v) { return v >= 0; });
    }

    struct DoubtTable {
        const std::int8_t *table;
        explicit DoubtTable(const std::int8_t *values) : table(values) {}
        Lanes look_up(const Lanes &messages) const {
            return each([&](std::size_t i) {
                const int size = messages.value[i] < 0 ? -messages.value[i] : messages.value[i];
                return table[std::min(size, 63)];
            });
        }
    };
    struct MessageTable {
        const std::int8_t *table;
        explicit MessageTable(const std::int8_t *values) : table(values) {}
        Lanes look_up(const Lanes &sums) const {
            return each([&](std::size_t i) { return table[sums.value[i]]; });
        }
    };
};

#include "fast_decoder_kernel.hpp"

} // namespace portable

#if KEYBEAM_X86
#pragma GCC push_options
#pragma GCC target("avx2")
namespace avx2 {

struct Lanes {
    __m256i low;
    __m256i high;

    static Lanes load(const std::int8_t *from) {
        return {_mm256_loadu_si256(reinterpret_cast<const __m256i *>(from)),
                _mm256_loadu_si256(reinterpret_cast<const __m256i *>(from + 32))};
    }
    static Lanes zero() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
    void store(std::int8_t *to) const {
        _mm256_storeu_si256(reinterpret_cast<__m256i *>(to), low);
        _mm256_storeu_si256(reinterpret_cast<__m256i *>(to + 32), high);
    }
    static Lanes subtract(const Lanes &a, const Lanes &b) {
        return {_mm256_subs_epi8(a.low, b.low), _mm256_subs_epi8(a.high, b.high)};
    }
    static Lanes add(const Lanes &a, const Lanes &b) {
        return {_mm256_adds_epi8(a.low, b.low), _mm256_adds_epi8(a.high, b.high)};
    }
    static Lanes exclusive_or(const Lanes &a, const Lanes &b) {
        return {_mm256_xor_si256(a.low, b.low), _mm256_xor_si256(a.high, b.high)};
    }
    static __m256i negate_half(__m256i a, __m256i sign) {
        const __m256i mask = _mm256_cmpgt_epi8(_mm256_setzero_si256(), sign);
        return _mm256_sub_epi8(_mm256_xor_si256(a, mask), mask);
    }
    static Lanes negate_where_negative(const Lanes &a, const Lanes &sign) {
        return {negate_half(a.low, sign.low), negate_half(a.high, sign.high)};
    }
    bool none_negative() const { return _mm256_movemask_epi8(_mm256_or_si256(low, high)) == 0; }

    // A table of 16 values for each step of the index, chosen by its higher bits.
    template <std::size_t parts> struct Table {
        __m256i part[parts];

        explicit Table(const void *values) {
            for (std::size_t i = 0; i < parts; ++i) {
                part[i] = _mm256_broadcastsi128_si256(
                    _mm_loadu_si128(reinterpret_cast<const __m128i *>(values) + i));
            }
        }
        __m256i look_up_half(__m256i index) const {
            const __m256i within = _mm256_and_si256(index, _mm256_set1_epi8(15));
            __m256i found[parts];
            for (std::size_t i = 0; i < parts; ++i) {
                found[i] = _mm256_shuffle_epi8(part[i], within);
            }
            // A blend looks at bit 7, where bits 4, 5 and 6 are shifted in turn; what crosses from
            // the neighbour stays below.
            int shift = 3;
            for (std::size_t left = parts / 2; left > 0; left /= 2, --shift) {
                const __m256i choice = _mm256_slli_epi16(index, shift);
                for (std::size_t i = 0; i < left; ++i) {
                    found[i] = _mm256_blendv_epi8(found[2 * i], found[2 * i + 1], choice);
                }
            }
            return found[0];
        }
    };
    struct DoubtTable : Table<4> {
        using Table::Table;
        Lanes look_up(const Lanes &messages) const {
            const __m256i most = _mm256_set1_epi8(63);
            return {look_up_half(_mm256_min_epu8(_mm256_abs_epi8(messages.low), most)),
                    look_up_half(_mm256_min_epu8(_mm256_abs_epi8(messages.high), most))};
        }
    };
    struct MessageTable : Table<8> {
        using Table::Table;
        Lanes look_up(const Lanes &sums) const {
            return {look_up_half(sums.low), look_up_half(sums.high)};
        }
    };
};

#include "fast_decoder_kernel.hpp"

} // namespace avx2
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512vbmi")
namespace avx512 {

struct Lanes {
    __m512i value;

    static Lanes load(const std::int8_t *from) { return {_mm512_loadu_si512(from)}; }
    static Lanes zero() { return {_mm512_setzero_si512()}; }
    void store(std::int8_t *to) const { _mm512_storeu_si512(to, value); }
    static Lanes subtract(const Lanes &a, const Lanes &b) {
        return {_mm512_subs_epi8(a.value, b.value)};
    }
    static Lanes add(const Lanes &a, const Lanes &b) {
        return {_mm512_adds_epi8(a.value, b.value)};
    }
    static Lanes exclusive_or(const Lanes &a, const Lanes &b) {
        return {_mm512_xor_si512(a.value, b.value)};
    }
    static Lanes negate_where_negative(const Lanes &a, const Lanes &sign) {
        return {_mm512_mask_sub_epi8(
            a.value, _mm512_test_epi8_mask(sign.value, _mm512_set1_epi8(-128)),
            _mm512_setzero_si512(), a.value)};
    }
    bool none_negative() const { return _mm512_movepi8_mask(value) == 0; }

    struct DoubtTable {
        __m512i table;
        explicit DoubtTable(const std::int8_t *values) : table(_mm512_loadu_si512(values)) {}
        Lanes look_up(const Lanes &messages) const {
            const __m512i size = _mm512_min_epu8(_mm512_abs_epi8(messages.value),
                                                 _mm512_set1_epi8(63));
            return {_mm512_maskz_permutexvar_epi8(~__mmask64{0}, size, table)};
        }
    };
    struct MessageTable {
        __m512i first;
        __m512i second;
        explicit MessageTable(const std::int8_t *values)
            : first(_mm512_loadu_si512(values)), second(_mm512_loadu_si512(values + 64)) {}
        Lanes look_up(const Lanes &sums) const {
            return {_mm512_permutex2var_epi8(first, sums.value, second)};
        }
    };
};

#include "fast_decoder_kernel.hpp"

} // namespace avx512
#pragma GCC pop_options
#endif

constexpr std::int8_t certain = 127;

} // namespace

// What a decoding works on; kept by each thread, since making it anew takes a while.
struct FastDecoder::State {
    AlignedBuffer<std::int8_t> values;
    AlignedBuffer<std::int8_t> messages;
    AlignedBuffer<std::int8_t> scratch;
    AlignedBuffer<std::uint8_t> signs; // 0x80 where the checks of the errors are odd
};

struct FastDecoder::Kernels {
    decltype(&portable::update_lanes<true>) update_first;
    decltype(&portable::update_lanes<false>) update;
    decltype(&portable::add_signs) add_signs;
    decltype(&portable::are_satisfied) are_satisfied;
};

FastDecoder::Kernels FastDecoder::kernels_for(InstructionSet set) {
    switch (set) {
#if KEYBEAM_X86
    case InstructionSet::avx512:
        return {avx512::update_lanes<true>, avx512::update_lanes<false>, avx512::add_signs,
                avx512::are_satisfied};
    case InstructionSet::avx2:
        return {avx2::update_lanes<true>, avx2::update_lanes<false>, avx2::add_signs,
                avx2::are_satisfied};
#endif
    default:
        return {portable::update_lanes<true>, portable::update_lanes<false>, portable::add_signs,
                portable::are_satisfied};
    }
}

FastDecoder::FastDecoder(const QuasiCyclicMatrix &matrix, const FastTables &tables,
                         std::size_t frame_bits)
    : tables_(tables), circulant_(matrix.circulant), block_columns_(matrix.block_columns),
      frame_bits_(frame_bits),
      row_starts_(matrix.row_starts, matrix.row_starts + matrix.block_rows + 1) {
    for (std::size_t row = 0; row < block_rows(); ++row) {
        for (std::size_t lane = 0; lane < circulant_; lane += lane_count) {
            for (std::size_t entry = row_starts_[row]; entry < row_starts_[row + 1]; ++entry) {
                const auto shift = static_cast<std::size_t>(matrix.shifts[entry]);
                const std::size_t place = (shift + lane) % circulant_;
                const auto first = static_cast<std::int32_t>(
                    column_start(static_cast<std::size_t>(matrix.columns[entry])) + place);
                std::int32_t mirror = first;
                if (place < lane_count) {
                    mirror += static_cast<std::int32_t>(circulant_); // the copy behind the last
                } else if (place + lane_count > circulant_) {
                    mirror -= static_cast<std::int32_t>(circulant_); // what goes on at the first
                }
                places_.push_back({first, mirror});
            }
        }
    }
}

std::size_t FastDecoder::column_start(std::size_t column) const {
    return lane_count + column * (circulant_ + 2 * lane_count);
}

// Calls row(place among the checks, entries, their places, place among the messages) for each 64
// checks, as long as it returns true.
template <typename Row> bool FastDecoder::each_row(Row row) const {
    std::size_t done = 0;
    for (std::size_t block = 0; block < block_rows(); ++block) {
        const std::size_t entries = row_starts_[block + 1] - row_starts_[block];
        for (std::size_t lane = 0; lane < circulant_; lane += lane_count, done += entries) {
            if (!row(block * circulant_ + lane, entries, &places_[done], done * lane_count)) {
                return false;
            }
        }
    }
    return true;
}

void FastDecoder::copy_edges(State &state) const {
    for (std::size_t column = 0; column < block_columns_; ++column) {
        std::int8_t *start = &state.values[column_start(column)];
        std::copy_n(start, lane_count, start + circulant_);
    }
}

// The errors' parities are those of the other frame and of the own.
void FastDecoder::set_signs(const std::uint8_t *own, const std::uint8_t *syndrome,
                            const Kernels &kernels, State &state) const {
    for (std::size_t i = 0; i < checks(); ++i) {
        state.signs[i] = static_cast<std::uint8_t>(syndrome[i] << 7);
    }
    for (std::size_t column = 0; column < block_columns_; ++column) {
        std::int8_t *start = &state.values[column_start(column)];
        const std::size_t first = column * circulant_;
        const std::size_t count = std::min(circulant_, frame_bits_ - std::min(frame_bits_, first));
        for (std::size_t i = 0; i < count; ++i) {
            start[i] = static_cast<std::int8_t>(own[first + i] << 7);
        }
        std::fill(start + count, start + circulant_, std::int8_t{0});
    }
    copy_edges(state);
    each_row([&](std::size_t check, std::size_t entries, const FastPlace *places, std::size_t) {
        kernels.add_signs(entries, places, state.values.data(), &state.signs[check]);
        return true;
    });
}

void FastDecoder::set_values(State &state) const {
    for (std::size_t column = 0; column < block_columns_; ++column) {
        std::int8_t *start = &state.values[column_start(column)];
        const std::size_t first = column * circulant_;
        const std::size_t count = std::min(circulant_, frame_bits_ - std::min(frame_bits_, first));
        std::fill_n(start, count, tables_.channel);
        std::fill(start + count, start + circulant_, certain);
    }
    copy_edges(state);
}

bool FastDecoder::has_syndrome(const Kernels &kernels, State &state) const {
    return each_row(
        [&](std::size_t check, std::size_t entries, const FastPlace *places, std::size_t) {
            return kernels.are_satisfied(entries, places, state.values.data(),
                                         &state.signs[check]);
        });
}

// Corrects the frame and counts what was wrong.
std::size_t FastDecoder::correct(const State &state, std::uint8_t *frame) const {
    std::size_t errors = 0;
    for (std::size_t column = 0; column < block_columns_; ++column) {
        const std::int8_t *values = &state.values[column_start(column)];
        const std::size_t first = column * circulant_;
        const std::size_t count = std::min(circulant_, frame_bits_ - std::min(frame_bits_, first));
        for (std::size_t i = 0; i < count; ++i) {
            const auto wrong = static_cast<std::uint8_t>(static_cast<std::uint8_t>(values[i]) >> 7);
            frame[first + i] ^= wrong;
            errors += wrong;
        }
    }
    return errors;
}

FastOutcome FastDecoder::decode(const std::uint8_t *own, const std::uint8_t *syndrome,
                                int iteration_limit, InstructionSet set,
                                std::uint8_t *found) const {
    if (!is_fast_available(set)) {
        throw std::invalid_argument("this processor does not have that instruction set");
    }
    static thread_local State state;
    state.values.reserve(column_start(block_columns_));
    state.messages.reserve(places_.size() * lane_count);
    state.scratch.reserve(2 * places_.size() / (circulant_ / lane_count) * lane_count);
    state.signs.reserve(checks());
    const Kernels kernels = kernels_for(set);
    set_signs(own, syndrome, kernels, state);
    set_values(state);
    std::copy_n(own, frame_bits_, found);
    for (int iteration = 0;; ++iteration) {
        if (has_syndrome(kernels, state)) {
            return {true, iteration, correct(state, found)};
        }
        if (iteration == iteration_limit) {
            return {false, iteration, 0};
        }
        const auto update = iteration == 0 ? kernels.update_first : kernels.update;
        each_row([&](std::size_t check, std::size_t entries, const FastPlace *places,
                     std::size_t message) {
            update(tables_, entries, places, &state.signs[check], state.values.data(),
                   &state.messages[message], state.scratch.data());
            return true;
        });
    }
}

bool is_fast_available(InstructionSet set) {
#if KEYBEAM_X86
    if (set == InstructionSet::avx512) {
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi");
    }
#endif
    return is_available(set);
}

} // namespace keybeam
