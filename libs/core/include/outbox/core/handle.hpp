#pragma once

#include <memory>

namespace outbox {

/// Calls one function for whatever it is given: a std::unique_ptr's.
template <auto Destroy>
struct Deleter {
    /// @param pointer  not null, as std::unique_ptr promises
    template <class T>
    void operator()(T* pointer) const noexcept {
        Destroy(pointer);
    }
};

/// Owns one object of a C library and destroys it with the library's own function.
template <class T, auto Destroy>
using Handle = std::unique_ptr<T, Deleter<Destroy>>;

} // namespace outbox
