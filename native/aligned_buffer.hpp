// Memory that begins where a cache line does, so that no vector lies in two of them.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

namespace keybeam {

// Room for values that need no constructor; what is in it at first is not defined.
template <typename T> class AlignedBuffer {
public:
    AlignedBuffer() = default;
    explicit AlignedBuffer(std::size_t size) { reserve(size); }

    // Makes room for so many; what was in the buffer is lost where it has to grow.
    void reserve(std::size_t size) {
        if (size > size_) {
            memory_.reset(static_cast<T *>(::operator new(size * sizeof(T), alignment)));
            size_ = size;
        }
    }

    T *data() { return memory_.get(); }
    const T *data() const { return memory_.get(); }
    T &operator[](std::size_t i) { return memory_[i]; }
    const T &operator[](std::size_t i) const { return memory_[i]; }

private:
    static constexpr std::align_val_t alignment{64};

    struct Free {
        void operator()(T *memory) const { ::operator delete(memory, alignment); }
    };

    std::unique_ptr<T[], Free> memory_;
    std::size_t size_ = 0;
};

} // namespace keybeam
