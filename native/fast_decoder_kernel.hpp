// The inner loops of the fast decoder. This file is included once for each instruction set, inside
// of a namespace that defines `Lanes`: 64 bytes side by side, and the operations on them.

// Passes the messages of 64 checks. In the first iteration there are none yet.
template <bool first>
void update_lanes(const FastTables &tables, std::size_t entries, const FastPlace *places,
                  const std::uint8_t *signs, std::int8_t *values, std::int8_t *messages,
                  std::int8_t *scratch) {
    const Lanes::DoubtTable doubt(tables.doubt);
    const Lanes::MessageTable message(tables.message);
    Lanes sign = Lanes::load(reinterpret_cast<const std::int8_t *>(signs));
    Lanes sum = Lanes::zero();
    std::int8_t *kept = scratch;
    for (std::size_t entry = 0; entry < entries; ++entry, kept += 128) {
        Lanes extrinsic = Lanes::load(values + places[entry].first);
        if constexpr (!first) {
            extrinsic = Lanes::subtract(extrinsic, Lanes::load(messages + entry * 64));
        }
        extrinsic.store(kept);
        sum.store(kept + 64);
        sign = Lanes::exclusive_or(sign, extrinsic);
        sum = Lanes::add(sum, doubt.look_up(extrinsic));
    }
    sum = Lanes::zero();
    for (std::size_t entry = entries; entry-- > 0;) {
        kept -= 128;
        const Lanes extrinsic = Lanes::load(kept);
        const Lanes others = Lanes::add(Lanes::load(kept + 64), sum);
        const Lanes next = Lanes::negate_where_negative(message.look_up(others),
                                                        Lanes::exclusive_or(sign, extrinsic));
        const Lanes value = Lanes::add(extrinsic, next);
        next.store(messages + entry * 64);
        value.store(values + places[entry].first);
        value.store(values + places[entry].mirror);
        // Looked up again rather than kept: storing takes longer.
        sum = Lanes::add(sum, doubt.look_up(extrinsic));
    }
}

// The sum of the signs of 64 checks' values and of those given, in the place of the sign.
inline Lanes summed_signs(std::size_t entries, const FastPlace *places, const std::int8_t *values,
                          const std::uint8_t *signs) {
    Lanes sum = Lanes::load(reinterpret_cast<const std::int8_t *>(signs));
    for (std::size_t entry = 0; entry < entries; ++entry) {
        sum = Lanes::exclusive_or(sum, Lanes::load(values + places[entry].first));
    }
    return sum;
}

inline void add_signs(std::size_t entries, const FastPlace *places, const std::int8_t *values,
                      std::uint8_t *signs) {
    summed_signs(entries, places, values, signs).store(reinterpret_cast<std::int8_t *>(signs));
}

inline bool are_satisfied(std::size_t entries, const FastPlace *places, const std::int8_t *values,
                          const std::uint8_t *signs) {
    return summed_signs(entries, places, values, signs).none_negative();
}
