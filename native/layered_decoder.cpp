#include "layered_decoder.hpp"

#include <algorithm>
#include <cstring>

namespace keybeam {
namespace {

// Every message is the odds of "in error" against "not in error"; a check works on the
// difference of the two probabilities. Only + - * / and comparisons occur, so that every
// machine gives the same bits (build without contraction to fused operations).
constexpr float largest_difference = 1.0F - 1.0F / 1048576.0F;           // 1 - 2^-20
constexpr float largest_odds = 1208925819614629174706176.0F;             // 2^80
constexpr float smallest_odds = 1.0F / 1208925819614629174706176.0F;     // 2^-80

class Decoder {
public:
    Decoder(const QuasiCyclicMatrix &matrix, const std::uint8_t *syndrome, float prior_odds)
        : matrix_(matrix), syndrome_(syndrome), size_(matrix.circulant),
          odds_(matrix.block_columns * size_, prior_odds),
          messages_(static_cast<std::size_t>(matrix.row_starts[matrix.block_rows]) * size_, 1.0F),
          parity_(size_), product_(size_) {
        std::size_t widest = 0;
        for (std::size_t row = 0; row < matrix.block_rows; ++row) {
            widest = std::max(widest, degree(row));
        }
        extrinsic_.resize(widest * size_);
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
            read_entry(first + entry, &extrinsic_[entry * size_]);
            pass_forward(&messages_[(first + entry) * size_], &extrinsic_[entry * size_],
                         &difference_[entry * size_], &before_[entry * size_]);
        }
        std::fill(product_.begin(), product_.end(), 1.0F);
        for (std::size_t entry = entries; entry-- > 0;) {
            pass_backward(&difference_[entry * size_], &before_[entry * size_],
                          &messages_[(first + entry) * size_], &extrinsic_[entry * size_]);
            write_entry(first + entry, &extrinsic_[entry * size_]);
        }
    }

    void decide(std::uint8_t *errors) const {
        for (std::size_t variable = 0; variable < odds_.size(); ++variable) {
            errors[variable] = odds_[variable] > 1.0F ? 1 : 0;
        }
    }

    bool has_syndrome(const std::uint8_t *errors) {
        for (std::size_t row = 0; row < matrix_.block_rows; ++row) {
            std::memcpy(parity_.data(), syndrome_ + row * size_, size_);
            const std::int32_t end = matrix_.row_starts[row + 1];
            for (std::int32_t entry = matrix_.row_starts[row]; entry < end; ++entry) {
                const std::uint8_t *block = errors + matrix_.columns[entry] * size_;
                const std::size_t shift = static_cast<std::size_t>(matrix_.shifts[entry]);
                for (std::size_t k = 0; k < size_ - shift; ++k) {
                    parity_[k] ^= block[k + shift];
                }
                for (std::size_t k = size_ - shift; k < size_; ++k) {
                    parity_[k] ^= block[k + shift - size_];
                }
            }
            if (std::any_of(parity_.begin(), parity_.end(), [](std::uint8_t p) { return p != 0; })) {
                return false;
            }
        }
        return true;
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

    // Takes the check's own last message out of the odds and multiplies up the differences.
    void pass_forward(const float *__restrict message, float *__restrict extrinsic,
                      float *__restrict difference, float *__restrict before) {
        float *__restrict product = product_.data();
        for (std::size_t k = 0; k < size_; ++k) {
            const float odds = extrinsic[k] / message[k];
            const float value = (1.0F - odds) / (1.0F + odds);
            extrinsic[k] = odds;
            difference[k] = value;
            before[k] = product[k];
            product[k] = product[k] * value;
        }
    }

    // Joins the products from both sides into the new message and the new odds.
    void pass_backward(const float *__restrict difference, const float *__restrict before,
                       float *__restrict message, float *__restrict extrinsic) {
        float *__restrict product = product_.data();
        for (std::size_t k = 0; k < size_; ++k) {
            const float others = std::min(std::max(before[k] * product[k], -largest_difference),
                                          largest_difference);
            const float odds = (1.0F - others) / (1.0F + others);
            message[k] = odds;
            extrinsic[k] = std::min(std::max(extrinsic[k] * odds, smallest_odds), largest_odds);
            product[k] = product[k] * difference[k];
        }
    }

    const QuasiCyclicMatrix &matrix_;
    const std::uint8_t *syndrome_;
    std::size_t size_;
    std::vector<float> odds_;
    std::vector<float> messages_;
    std::vector<std::uint8_t> parity_;
    std::vector<float> product_;
    std::vector<float> extrinsic_;
    std::vector<float> difference_;
    std::vector<float> before_;
};

} // namespace

DecodeOutcome decode_layered(const QuasiCyclicMatrix &matrix, const std::uint8_t *syndrome,
                             float prior_odds, int iteration_limit, std::uint8_t *errors) {
    Decoder decoder(matrix, syndrome, prior_odds);
    decoder.decide(errors);
    if (decoder.has_syndrome(errors)) {
        return {true, 0};
    }
    for (int iteration = 1; iteration <= iteration_limit; ++iteration) {
        for (std::size_t row = 0; row < matrix.block_rows; ++row) {
            decoder.update_row(row);
        }
        decoder.decide(errors);
        if (decoder.has_syndrome(errors)) {
            return {true, iteration};
        }
    }
    return {false, iteration_limit};
}

} // namespace keybeam
