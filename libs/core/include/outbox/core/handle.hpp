#pragma once

#include <memory>

namespace outbox {

template <auto Destroy>
struct Deleter {
    template <class T>
    void operator()(T* pointer) const noexcept {
        Destroy(pointer);
    }
};

/// Owns one object of a C library and destroys it with the library's own function.
template <class T, auto Destroy>
using Handle = std::unique_ptr<T, Deleter<Destroy>>;

} // namespace outbox
