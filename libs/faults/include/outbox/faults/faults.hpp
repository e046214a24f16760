#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <type_traits>

/// Where tests interfere with a program, and hear of it. Two libraries have these functions: an inert one,
/// which the programs that ship are linked with, so that nobody can arm them, and an armed one for the
/// programs of the tests. All that calls them is the same in both. They may be called from any thread.
namespace outbox::faults {

/// Passes a named place. Armed, OUTBOX_FAULT=<name>:<n>[:stop] ends (or stops) the process at its n-th pass.
void point(const char* name);

/// Whether the named cure of docs/proof.md works. Armed, OUTBOX_WITHOUT=<name> switches one off, so that a
/// witness shows what it is for.
bool cure(const char* name);

/// A named value of a signal.
struct Value {
    /// A whole number.
    template <class Number>
    requires std::is_integral_v<Number> Value(const char* value_name, Number value)
        : name(value_name),
          number(static_cast<std::int64_t>(value)),
          is_text(false) {}
    /// @param value  lives during the call
    Value(const char* value_name, std::string_view value) : name(value_name), text(value) {}

    const char* name;
    std::string_view text = {};
    std::int64_t number = 0;
    bool is_text = true;
};

/// Says that something has happened. Armed, it is a line in the file that OUTBOX_FAULT_SIGNALS names, where a
/// test waits for it: "<name>\t<value's name>=<value>...".
void signal(const char* name, std::initializer_list<Value> values);

} // namespace outbox::faults
