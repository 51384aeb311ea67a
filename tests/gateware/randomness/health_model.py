"""The health tests of NIST SP 800-90B, section 4.4, sample by sample, as the standard has them."""

from itertools import combinations

LANES, GROUP, DISTANCE = 4, 4, 12


def bits_of(word):
    """Bits of a word: [lane][slot]."""
    return [[word >> (GROUP * lane + slot) & 1 for slot in range(GROUP)] for lane in range(LANES)]


def first_repetition(samples, cutoff):
    """Place of the first sample at which the repetition count test (4.4.1) fails, or None."""
    last, count = None, 0
    for place, sample in enumerate(samples):
        count = count + 1 if sample == last else 1
        last = sample
        if count >= cutoff:
            return place
    return None


def first_repeat(samples, cutoff, distance):
    """The same for samples that repeat after a distance: count is one more than the repeats."""
    count = 1
    for place in range(distance, len(samples)):
        count = count + 1 if samples[place] == samples[place - distance] else 1
        if count >= cutoff:
            return place
    return None


def first_proportion(samples, cutoff, window):
    """Place of the first sample at which the adaptive proportion test (4.4.2) fails, or None."""
    for begin in range(0, len(samples), window):
        wanted, count = samples[begin], 1
        if count >= cutoff:
            return begin
        for place in range(begin + 1, min(begin + window, len(samples))):
            count += samples[place] == wanted
            if count >= cutoff:
                return place
    return None


def first_alarms(words, cutoffs, window_words):
    """Word in which each test first fails, by the name of the alarm and its bit."""
    bits = [bits_of(word) for word in words]
    lanes = [[bit for word in bits for bit in word[lane]] for lane in range(LANES)]
    symbols = list(zip(*lanes, strict=True))
    groups = [[tuple(word[lane]) for word in bits] for lane in range(LANES)]
    window = window_words * GROUP

    def word_of(place):
        return None if place is None else place // GROUP

    found = {}
    for lane in range(LANES):
        found["repetition_lanes", lane] = word_of(
            first_repetition(lanes[lane], cutoffs["repetition_bits"])
        )
        found["repetition_groups", lane] = first_repeat(
            groups[lane], cutoffs["repetition_groups"], DISTANCE
        )
        found["proportion_lanes", lane] = word_of(
            first_proportion(lanes[lane], cutoffs["proportion_bits"], window)
        )
    for number, (one, other) in enumerate(combinations(range(LANES), 2)):
        difference = [a ^ b for a, b in zip(lanes[one], lanes[other], strict=True)]
        found["repetition_pairs", number] = word_of(
            first_repetition(difference, cutoffs["repetition_bits"])
        )
    found["repetition_symbols", 0] = word_of(
        first_repetition(symbols, cutoffs["repetition_symbols"])
    )
    found["repetition_words", 0] = first_repeat(words, cutoffs["repetition_words"], DISTANCE)
    found["proportion_symbols", 0] = word_of(
        first_proportion(symbols, cutoffs["proportion_symbols"], window // 2)
    )
    return {test: place for test, place in found.items() if place is not None}
