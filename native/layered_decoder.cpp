#include "layered_decoder.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#if defined(__x86_64__) && defined(__GNUC__)
#define KEYBEAM_X86 1
#else
#define KEYBEAM_X86 0
#endif

namespace keybeam {
namespace {

// A bit's state is the odds of "in error" against "not in error"; a check's message is the
// difference of the two probabilities, so a message t stands for the odds (1 - t)/(1 + t). Only
// + - * / and comparisons occur, so that every machine and every vector width gives the same
// bits (build without contraction to fused operations).
constexpr float largest_difference = 1.0F - 1.0F / 1048576.0F;           // 1 - 2^-20
constexpr float largest_odds = 1208925819614629174706176.0F;             // 2^80
constexpr float smallest_odds = 1.0F / 1208925819614629174706176.0F;     // 2^-80

// The two loops over the lanes of a circulant. They are inlined into one function for each
// instruction set, so that nothing else is compiled for a processor that may not be there.
#if KEYBEAM_X86
#define KEYBEAM_INLINE inline __attribute__((always_inline))
#else
#define KEYBEAM_INLINE inline
#endif

// Takes the check's own last message out of the odds and multiplies up the differences.
KEYBEAM_INLINE void forward_lanes(std::size_t lanes, const float *__restrict message,
                                  const float *__restrict odds, float *__restrict difference,
                                  float *__restrict before, float *__restrict product) {
    for (std::size_t k = 0; k < lanes; ++k) {
        const float right = 1.0F - message[k];
        const float wrong = odds[k] * (1.0F + message[k]);
        const float value = (right - wrong) / (right + wrong);
        difference[k] = value;
        before[k] = product[k];
        product[k] = product[k] * value;
    }
}

// Joins the products from both sides into the new message and the new odds.
KEYBEAM_INLINE void backward_lanes(std::size_t lanes, const float *__restrict difference,
                                   const float *__restrict before, float *__restrict message,
                                   float *__restrict odds, float *__restrict product) {
    for (std::size_t k = 0; k < lanes; ++k) {
        const float joined = before[k] * product[k];
        const float above = joined > -largest_difference ? joined : -largest_difference;
        const float others = above < largest_difference ? above : largest_difference;
        const float wrong = odds[k] * (1.0F + message[k]) * (1.0F - others);
        const float right = (1.0F - message[k]) * (1.0F + others);
        const float ratio = wrong / right;
        const float low = ratio > smallest_odds ? ratio : smallest_odds;
        const float after = low < largest_odds ? low : largest_odds;
        // At a bound the odds no longer say what all messages do, so that taking one out again
        // would shift them for good: there the bit is settled.
        const bool settled = odds[k] >= largest_odds || odds[k] <= smallest_odds;
        odds[k] = settled ? odds[k] : after;
        message[k] = others;
        product[k] = product[k] * difference[k];
    }
}

using Forward = void (*)(std::size_t, const float *, const float *, float *, float *, float *);
using Backward = void (*)(std::size_t, const float *, const float *, float *, float *, float *);

struct Kernels {
    Forward forward;
    Backward backward;
};

#define KEYBEAM_KERNELS(name, attributes)                                                        \
    attributes void forward_##name(std::size_t n, const float *m, const float *o, float *d,      \
                                   float *b, float *p) {                                         \
        forward_lanes(n, m, o, d, b, p);                                                         \
    }                                                                                            \
    attributes void backward_##name(std::size_t n, const float *d, const float *b, float *m,     \
                                    float *o, float *p) {                                        \
        backward_lanes(n, d, b, m, o, p);                                                        \
    }

KEYBEAM_KERNELS(portable, )
#if KEYBEAM_X86
KEYBEAM_KERNELS(avx2, __attribute__((target("avx2"))))
KEYBEAM_KERNELS(avx512, __attribute__((target("avx512f,avx512vl,prefer-vector-width=512"))))
#endif

Kernels kernels_for(InstructionSet set) {
    switch (set) {
#if KEYBEAM_X86
    case InstructionSet::avx512:
        return {forward_avx512, backward_avx512};
    case InstructionSet::avx2:
        return {forward_avx2, backward_avx2};
#endif
    default:
        return {forward_portable, backward_portable};
    }
}

// Parities of the checks of a block row.
void row_parities(const QuasiCyclicMatrix &matrix, std::size_t row, const std::uint8_t *bits,
                  std::uint8_t *__restrict parity) {
    const std::size_t size = matrix.circulant;
    std::memset(parity, 0, size);
    for (std::int32_t entry = matrix.row_starts[row]; entry < matrix.row_starts[row + 1]; ++entry) {
        const std::uint8_t *block = bits + static_cast<std::size_t>(matrix.columns[entry]) * size;
        const std::size_t shift = static_cast<std::size_t>(matrix.shifts[entry]);
        for (std::size_t k = 0; k < size - shift; ++k) {
            parity[k] ^= block[k + shift];
        }
        for (std::size_t k = size - shift; k < size; ++k) {
            parity[k] ^= block[k + shift - size];
        }
    }
}

class Decoder {
public:
    Decoder(const QuasiCyclicMatrix &matrix, const std::uint8_t *syndrome, float *odds,
            float *messages, Kernels kernels)
        : matrix_(matrix), syndrome_(syndrome), size_(matrix.circulant), odds_(odds),
          messages_(messages), kernels_(kernels), parity_(size_), product_(size_) {
        std::size_t widest = 0;
        for (std::size_t row = 0; row < matrix.block_rows; ++row) {
            widest = std::max(widest, degree(row));
        }
        rotated_.resize(widest * size_);
        difference_.resize(widest * size_);
        before_.resize(widest * size_);
    }

    void update_row(std::size_t row) {
        const std::size_t first = static_cast<std::size_t>(matrix_.row_starts[row]);
        const std::size_t entries = degree(row);
        for (std::size_t k = 0; k < size_; ++k) {
            product_[k] = syndrome_[row * size_ + k] != 0 ? -1.0F : 1.0F;
        }
        for (std::size_t entry = 0; entry < entries; ++entry) {
            read_entry(first + entry, &rotated_[entry * size_]);
            kernels_.forward(size_, &messages_[(first + entry) * size_], &rotated_[entry * size_],
                             &difference_[entry * size_], &before_[entry * size_],
                             product_.data());
        }
        std::fill(product_.begin(), product_.end(), 1.0F);
        for (std::size_t entry = entries; entry-- > 0;) {
            kernels_.backward(size_, &difference_[entry * size_], &before_[entry * size_],
                              &messages_[(first + entry) * size_], &rotated_[entry * size_],
                              product_.data());
            write_entry(first + entry, &rotated_[entry * size_]);
        }
    }

    void decide(std::uint8_t *errors) const {
        for (std::size_t variable = 0; variable < matrix_.block_columns * size_; ++variable) {
            errors[variable] = odds_[variable] > 1.0F ? 1 : 0;
        }
    }

    // Checks whose parity over the error pattern is not that of the syndrome.
    std::size_t unmet(const std::uint8_t *errors) {
        std::size_t count = 0;
        for (std::size_t row = 0; row < matrix_.block_rows; ++row) {
            row_parities(matrix_, row, errors, parity_.data());
            const std::uint8_t *wanted = syndrome_ + row * size_;
            for (std::size_t k = 0; k < size_; ++k) {
                count += parity_[k] != wanted[k] ? 1 : 0;
            }
        }
        return count;
    }

private:
    std::size_t degree(std::size_t row) const {
        return static_cast<std::size_t>(matrix_.row_starts[row + 1] - matrix_.row_starts[row]);
    }

    void read_entry(std::size_t entry, float *rotated) const {
        const float *block = &odds_[static_cast<std::size_t>(matrix_.columns[entry]) * size_];
        const std::size_t shift = static_cast<std::size_t>(matrix_.shifts[entry]);
        std::memcpy(rotated, block + shift, (size_ - shift) * sizeof(float));
        std::memcpy(rotated + (size_ - shift), block, shift * sizeof(float));
    }

    void write_entry(std::size_t entry, const float *rotated) {
        float *block = &odds_[static_cast<std::size_t>(matrix_.columns[entry]) * size_];
        const std::size_t shift = static_cast<std::size_t>(matrix_.shifts[entry]);
        std::memcpy(block + shift, rotated, (size_ - shift) * sizeof(float));
        std::memcpy(block, rotated + (size_ - shift), shift * sizeof(float));
    }

    const QuasiCyclicMatrix &matrix_;
    const std::uint8_t *syndrome_;
    std::size_t size_;
    float *odds_;
    float *messages_;
    Kernels kernels_;
    std::vector<std::uint8_t> parity_;
    std::vector<float> product_;
    std::vector<float> rotated_;
    std::vector<float> difference_;
    std::vector<float> before_;
};

} // namespace

bool is_available(InstructionSet set) {
    switch (set) {
#if KEYBEAM_X86
    case InstructionSet::avx512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl");
    case InstructionSet::avx2:
        return __builtin_cpu_supports("avx2");
#else
    case InstructionSet::avx512:
    case InstructionSet::avx2:
        return false;
#endif
    default:
        return true;
    }
}

void find_syndrome(const QuasiCyclicMatrix &matrix, const std::uint8_t *bits,
                   std::uint8_t *syndrome) {
    for (std::size_t row = 0; row < matrix.block_rows; ++row) {
        row_parities(matrix, row, bits, syndrome + row * matrix.circulant);
    }
}

DecodeOutcome decode_layered(const QuasiCyclicMatrix &matrix, const std::uint8_t *syndrome,
                             float *odds, float *messages, int iteration_limit, int patience,
                             InstructionSet set, std::uint8_t *errors) {
    if (!is_available(set)) {
        throw std::invalid_argument("this processor does not have that instruction set");
    }
    Decoder decoder(matrix, syndrome, odds, messages, kernels_for(set));
    decoder.decide(errors);
    std::size_t unmet = decoder.unmet(errors);
    std::size_t fewest = unmet;
    int iteration = 0;
    int idle = 0;
    while (unmet != 0 && iteration < iteration_limit && idle < patience) {
        for (std::size_t row = 0; row < matrix.block_rows; ++row) {
            decoder.update_row(row);
        }
        ++iteration;
        decoder.decide(errors);
        unmet = decoder.unmet(errors);
        // Fewer by less than a hundredth does not count as going on.
        if (100 * unmet < 99 * fewest) {
            fewest = unmet;
            idle = 0;
        } else {
            ++idle;
        }
    }
    return {unmet == 0, iteration};
}

} // namespace keybeam
