#include "binary_transform.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "aligned_buffer.hpp"
#include "binary_field.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define KEYBEAM_X86 1
#else
#define KEYBEAM_X86 0
#endif

// A polynomial over GF(2) is cut into chunks of 512 bits, which are the coefficients of a
// polynomial in y = x^512. Each chunk is mapped to its values at 64 points of GF(2^16); that makes
// 64 polynomials in y over GF(2^16), which are transformed side by side, one in each byte of two
// vectors (low and high bytes). The transform evaluates at the span of Cantor's basis (D. G.
// Cantor, "On arithmetical algorithms over finite fields", J. Combin. Theory A 50 (1989) 285):
// modulo s_j(y) + c and s_j(y) + c + 1 in turn, where s_(j+1) = s_j^2 + s_j and s_0 = y.
//
// Long factors are cut into blocks of 2^(log - 1) chunks. Their transforms are multiplied and
// summed point by point, and only the sums that reach the wanted words are transformed back.

namespace keybeam {

#if KEYBEAM_X86
namespace {

#define KEYBEAM_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi,gfni")))

using Word = std::uint64_t;

constexpr std::size_t chunk_words = chunk_bytes / sizeof(Word);
constexpr std::size_t group = 64; // chunks that are mapped at a time
constexpr std::size_t smallest_log = 7; // half of it is a group

// 64 elements of GF(2^16), one for each point.
struct Values {
    __m512i low;
    __m512i high;
};

KEYBEAM_TARGET inline void add_to(Values &sum, const Values &term) {
    sum.low = _mm512_xor_si512(sum.low, term.low);
    sum.high = _mm512_xor_si512(sum.high, term.high);
}

// Transposes 64 rows of 64 bytes in place, by exchanging blocks of 1, 2, 4 … 32 bytes.
KEYBEAM_TARGET void transpose(__m512i *rows) {
    alignas(64) std::uint8_t upper[64];
    alignas(64) std::uint8_t lower[64];
    for (std::size_t size = 1; size < 64; size *= 2) {
        for (std::size_t i = 0; i < 64; ++i) {
            upper[i] = static_cast<std::uint8_t>(i & size ? 64 + (i ^ size) : i);
            lower[i] = static_cast<std::uint8_t>(i & size ? 64 + i : i | size);
        }
        const __m512i to_upper = _mm512_load_si512(upper);
        const __m512i to_lower = _mm512_load_si512(lower);
        for (std::size_t i = 0; i < 64; i = ((i | size) + 1) & ~size) {
            const __m512i above = rows[i];
            const __m512i below = rows[i | size];
            rows[i] = _mm512_permutex2var_epi8(above, to_upper, below);
            rows[i | size] = _mm512_permutex2var_epi8(above, to_lower, below);
        }
    }
}

// out[row] = sum over column of matrix[row][column] times in[column], on 64 bytes side by side.
template <std::size_t rows, std::size_t columns>
KEYBEAM_TARGET void map_bytes(const Word *matrix, const __m512i *in, __m512i *out) {
    constexpr std::size_t together = 8; // sums kept in registers
    for (std::size_t first = 0; first < rows; first += together) {
        __m512i sums[together];
        for (std::size_t i = 0; i < together; ++i) {
            sums[i] = _mm512_setzero_si512();
        }
        for (std::size_t column = 0; column < columns; column += 2) {
#pragma GCC unroll 8
            for (std::size_t i = 0; i < together; ++i) {
                const Word *entry = matrix + (first + i) * columns + column;
                const __m512i one = _mm512_gf2p8affine_epi64_epi8(
                    in[column], _mm512_set1_epi64(static_cast<long long>(entry[0])), 0);
                const __m512i other = _mm512_gf2p8affine_epi64_epi8(
                    in[column + 1], _mm512_set1_epi64(static_cast<long long>(entry[1])), 0);
                sums[i] = _mm512_ternarylogic_epi64(sums[i], one, other, 0x96); // xor of three
            }
        }
        for (std::size_t i = 0; i < together; ++i) {
            out[first + i] = sums[i];
        }
    }
}

// Values of 64 chunks.
KEYBEAM_TARGET void evaluate(const BinaryField &field, const Word *chunks, Values *out) {
    __m512i bytes[group];
    std::memcpy(bytes, chunks, sizeof bytes);
    transpose(bytes);
    __m512i mapped[2 * points];
    map_bytes<2 * points, chunk_bytes>(field.evaluate.data(), bytes, mapped);
    for (std::size_t half = 0; half < 2; ++half) {
        for (std::size_t point = 0; point < points; ++point) {
            bytes[point] = mapped[2 * point + half];
        }
        transpose(bytes);
        for (std::size_t i = 0; i < group; ++i) {
            (half == 0 ? out[i].low : out[i].high) = bytes[i];
        }
    }
}

// Adds double chunks, which overlap by half, from 64 values onwards to `out`, 65 chunks.
KEYBEAM_TARGET void interpolate(const BinaryField &field, const Values *values, Word *out) {
    __m512i bytes[group];
    __m512i columns[2 * points];
    for (std::size_t half = 0; half < 2; ++half) {
        for (std::size_t i = 0; i < group; ++i) {
            bytes[i] = half == 0 ? values[i].low : values[i].high;
        }
        transpose(bytes);
        for (std::size_t point = 0; point < points; ++point) {
            columns[2 * point + half] = bytes[point];
        }
    }
    __m512i mapped[2 * chunk_bytes];
    map_bytes<2 * chunk_bytes, 2 * points>(field.interpolate.data(), columns, mapped);
    for (std::size_t half = 0; half < 2; ++half) {
        transpose(mapped + half * group);
        for (std::size_t i = 0; i < group; ++i) {
            Word *place = out + (i + half) * chunk_words;
            _mm512_storeu_si512(place, _mm512_xor_si512(_mm512_loadu_si512(place),
                                                        mapped[half * group + i]));
        }
    }
}

// A constant factor, spread over all bytes.
struct Factor {
    __m512i low;
    __m512i high;
    __m512i high_gamma;
    __m512i both;
};

KEYBEAM_TARGET inline Factor factor(const Twiddle &twiddle) {
    return {_mm512_set1_epi8(static_cast<char>(twiddle.low)),
            _mm512_set1_epi8(static_cast<char>(twiddle.high)),
            _mm512_set1_epi8(static_cast<char>(twiddle.high_gamma)),
            _mm512_set1_epi8(static_cast<char>(twiddle.both))};
}

// Which part of GF(2^16) a twiddle lies in.
enum class Kind { zero, byte, any };

// sum += factor * values
template <Kind kind>
KEYBEAM_TARGET inline void add_product(Values &sum, const Factor &by, const Values &values) {
    if constexpr (kind == Kind::byte) {
        add_to(sum, {_mm512_gf2p8mul_epi8(by.low, values.low),
                     _mm512_gf2p8mul_epi8(by.low, values.high)});
    } else if constexpr (kind == Kind::any) {
        sum.low = _mm512_ternarylogic_epi64(sum.low, _mm512_gf2p8mul_epi8(by.low, values.low),
                                            _mm512_gf2p8mul_epi8(by.high_gamma, values.high), 0x96);
        sum.high = _mm512_ternarylogic_epi64(sum.high, _mm512_gf2p8mul_epi8(by.high, values.low),
                                             _mm512_gf2p8mul_epi8(by.both, values.high), 0x96);
    }
}

// The powers 2^e below the first of s_j, for the binary digits e of submasks of j, rising.
struct Terms {
    std::size_t count = 0;
    std::size_t powers[largest_log] = {};

    explicit Terms(std::size_t j) {
        for (std::size_t e = 0; e < j; ++e) {
            if ((e & j) == e) { // the binomial coefficient of j and e is odd
                powers[count++] = std::size_t{1} << e;
            }
        }
    }

    std::size_t largest() const { return count == 0 ? 0 : powers[count - 1]; }
};

// What the higher coefficients of a polynomial, which become the quotient of a division by s_j,
// contribute to coefficient i of 2^(j+1); size = 2^j.
KEYBEAM_TARGET inline void add_quotients(Values &sum, const Values *values, std::size_t i,
                                         std::size_t size, const Terms &terms) {
    for (std::size_t term = 0; term < terms.count; ++term) {
        const std::size_t power = terms.powers[term];
        if (i >= power && i < size + power) {
            add_to(sum, values[i + size - power]);
        }
    }
}

// From a polynomial modulo s_(j+1) + c to the same modulo s_j + t and s_j + t + 1.
template <Kind kind>
KEYBEAM_TARGET void split(Values *values, std::size_t size, const Terms &terms, const Factor &by) {
    for (std::size_t i = size + terms.largest(); i-- > size;) {
        add_quotients(values[i], values, i, size, terms);
    }
    for (std::size_t i = size; i-- > 0;) {
        Values low = values[i];
        Values high = values[i + size];
        add_quotients(low, values, i, size, terms);
        add_product<kind>(low, by, high);
        add_to(high, low);
        values[i] = low;
        values[i + size] = high;
    }
}

// The inverse of `split`.
template <Kind kind>
KEYBEAM_TARGET void join(Values *values, std::size_t size, const Terms &terms, const Factor &by) {
    for (std::size_t i = 0; i < size; ++i) {
        Values low = values[i];
        Values high = values[i + size];
        add_to(high, low);
        add_product<kind>(low, by, high);
        add_quotients(low, values, i, size, terms);
        values[i] = low;
        values[i + size] = high;
    }
    for (std::size_t i = size; i < size + terms.largest(); ++i) {
        add_quotients(values[i], values, i, size, terms);
    }
}

// A step of all blocks of 2^(j+1) values: `split` or `join` for each kind of twiddle.
template <auto zero, auto byte, auto any>
KEYBEAM_TARGET void step(const BinaryField &field, Values *values, std::size_t log,
                         std::size_t j) {
    const Terms terms(j);
    const std::size_t size = std::size_t{1} << j;
    for (std::size_t block = 0; block < std::size_t{1} << (log - 1 - j); ++block) {
        const Twiddle &twiddle = field.twiddles[block];
        const auto run = block == 0 ? zero : twiddle.high == 0 ? byte : any;
        run(values + 2 * size * block, size, terms, factor(twiddle));
    }
}

// Values at 2^log elements of the polynomial whose lower half of coefficients is given.
KEYBEAM_TARGET void transform(const BinaryField &field, Values *values, std::size_t log) {
    const std::size_t half = std::size_t{1} << (log - 1);
    std::memcpy(values + half, values, half * sizeof(Values)); // the first step, as s + 0 and s + 1
    for (std::size_t j = log - 1; j-- > 0;) {
        step<split<Kind::zero>, split<Kind::byte>, split<Kind::any>>(field, values, log, j);
    }
}

KEYBEAM_TARGET void transform_back(const BinaryField &field, Values *values, std::size_t log) {
    for (std::size_t j = 0; j < log; ++j) {
        step<join<Kind::zero>, join<Kind::byte>, join<Kind::any>>(field, values, log, j);
    }
}

// The transforms of consecutive blocks of a polynomial. The same few values of all blocks lie
// together, because that is how they are multiplied.
class Spectrum {
public:
    // Block k begins at word `start` + k blocks; there are zeros where the polynomial has no words.
    KEYBEAM_TARGET Spectrum(const BinaryField &field, const Word *words, std::size_t count,
                            std::ptrdiff_t start, std::size_t blocks, std::size_t log)
        : blocks_(blocks), values_(blocks << log) {
        const std::size_t size = std::size_t{1} << log;
        AlignedBuffer<Values> block(size);
        AlignedBuffer<Word> chunks(group * chunk_words);
        for (std::size_t k = 0; k < blocks; ++k) {
            for (std::size_t i = 0; i < size / 2; i += group) {
                const std::ptrdiff_t first =
                    start + static_cast<std::ptrdiff_t>((k * size / 2 + i) * chunk_words);
                evaluate(field, window(words, count, first, chunks.data()), block.data() + i);
            }
            transform(field, block.data(), log);
            for (std::size_t i = 0; i < size; i += together) {
                std::copy_n(&block[i], together, &values_[i * blocks + k * together]);
            }
        }
    }

    std::size_t blocks() const { return blocks_; }

    // Value i of the first block; those of the others follow at distances of `together`.
    const Values *at(std::size_t i) const {
        return values_.data() + (i - i % together) * blocks_ + i % together;
    }

    static constexpr std::size_t together = 8;

private:
    // A group of chunks from word `first` on, in place or copied with zeros around.
    static const Word *window(const Word *words, std::size_t count, std::ptrdiff_t first,
                              Word *copy) {
        constexpr std::ptrdiff_t length = group * chunk_words;
        const std::ptrdiff_t end = static_cast<std::ptrdiff_t>(count);
        if (first >= 0 && first + length <= end) {
            return words + first;
        }
        std::fill_n(copy, length, Word{0});
        const std::ptrdiff_t from = std::clamp<std::ptrdiff_t>(first, 0, end);
        const std::ptrdiff_t to = std::clamp<std::ptrdiff_t>(first + length, 0, end);
        std::copy(words + from, words + to, copy + std::max<std::ptrdiff_t>(0, from - first));
        return copy;
    }

    std::size_t blocks_;
    AlignedBuffer<Values> values_;
};

// Value i of the sum over k of block k of a times block last - k of b.
KEYBEAM_TARGET Values multiply(const Spectrum &a, const Spectrum &b, std::size_t last,
                               std::size_t i, __m512i gamma) {
    __m512i low = _mm512_setzero_si512();
    __m512i high = low;
    __m512i both = low;
    const Values *of_a = a.at(i);
    const Values *of_b = b.at(i) + last * Spectrum::together;
    for (std::size_t k = 0; k < a.blocks(); ++k) {
        low = _mm512_xor_si512(low, _mm512_gf2p8mul_epi8(of_a->low, of_b->low));
        high = _mm512_xor_si512(high, _mm512_gf2p8mul_epi8(of_a->high, of_b->high));
        both = _mm512_xor_si512(
            both, _mm512_gf2p8mul_epi8(_mm512_xor_si512(of_a->low, of_a->high),
                                       _mm512_xor_si512(of_b->low, of_b->high)));
        of_a += Spectrum::together;
        of_b -= Spectrum::together;
    }
    return {_mm512_xor_si512(low, _mm512_gf2p8mul_epi8(high, gamma)),
            _mm512_xor_si512(both, low)};
}

std::size_t divide_up(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

// The size of transform that takes least time, by a rough count of operations.
std::size_t best_log(std::size_t a_words, std::size_t words) {
    std::size_t best = smallest_log;
    double least = 0;
    for (std::size_t log = smallest_log; log <= largest_log; ++log) {
        const double size = static_cast<double>(std::size_t{1} << log);
        const std::size_t block_words = chunk_words << (log - 1);
        const auto of_a = static_cast<double>(divide_up(a_words, block_words));
        const auto of_result = static_cast<double>(divide_up(words, block_words));
        const double cost = size * ((2 * of_a + 2 * of_result + 1) * static_cast<double>(log + 10) +
                                    of_a * (of_result + 1));
        if (log == smallest_log || cost < least) {
            best = log;
            least = cost;
        }
    }
    return best;
}

KEYBEAM_TARGET void run(const Word *a, std::size_t a_words, const Word *b, std::size_t b_words,
                        std::size_t offset, std::size_t words, Word *result) {
    const BinaryField &field = binary_field();
    const std::size_t log = best_log(a_words, words);
    const std::size_t size = std::size_t{1} << log;
    const std::size_t block_words = chunk_words * size / 2;
    const std::size_t of_a = std::max<std::size_t>(1, divide_up(a_words, block_words));
    const std::size_t of_result = divide_up(words, block_words);
    // Block of_a of b begins where the result does, so that no block before the first is needed.
    const Spectrum a_values(field, a, a_words, 0, of_a, log);
    const Spectrum b_values(field, b, b_words,
                            static_cast<std::ptrdiff_t>(offset) -
                                static_cast<std::ptrdiff_t>(of_a * block_words),
                            of_a + of_result, log);
    AlignedBuffer<Values> products((of_result + 1) * size);
    const __m512i gamma = _mm512_set1_epi8(static_cast<char>(field.gamma));
    for (std::size_t i = 0; i < size; i += Spectrum::together) {
        for (std::size_t k = 0; k <= of_result; ++k) {
            for (std::size_t next = i; next < i + Spectrum::together; ++next) {
                products[k * size + next] =
                    multiply(a_values, b_values, of_a - 1 + k, next, gamma);
            }
        }
    }
    // A product of blocks is two blocks long; the first is that which ends in the result's first.
    std::vector<Word> out((of_result + 2) * block_words + chunk_words, 0);
    for (std::size_t k = 0; k <= of_result; ++k) {
        Values *product = &products[k * size];
        transform_back(field, product, log);
        for (std::size_t i = 0; i < size; i += group) {
            interpolate(field, product + i, out.data() + k * block_words + i * chunk_words);
        }
    }
    std::copy_n(out.begin() + static_cast<std::ptrdiff_t>(block_words), words, result);
}

} // namespace

bool has_transform() {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi") &&
           __builtin_cpu_supports("gfni");
}

void transform_product(const Word *a, std::size_t a_words, const Word *b, std::size_t b_words,
                       std::size_t offset, std::size_t words, Word *result) {
    if (!has_transform()) {
        throw std::invalid_argument("this processor does not have AVX-512 with GFNI");
    }
    run(a, a_words, b, b_words, offset, words, result);
}

#else

bool has_transform() { return false; }

void transform_product(const std::uint64_t *, std::size_t, const std::uint64_t *, std::size_t,
                       std::size_t, std::size_t, std::uint64_t *) {
    throw std::invalid_argument("this build does not have AVX-512 with GFNI");
}

#endif

} // namespace keybeam
