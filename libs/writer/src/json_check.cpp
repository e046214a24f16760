// Will jsonb take this text? PostgreSQL refuses more than JSON's grammar does: \u0000, half of a
// surrogate pair, numbers beyond what `numeric` holds. Asked before the INSERT, the answer is an
// InvalidEvent in the service's own code; asked by the server it would be a failed transaction. One
// pass, nothing is built, and nesting costs a character each, so no text can exhaust the stack.

#include "text.hpp"

#include <outbox/core/text.hpp>

#include <algorithm>
#include <cstdint>
#include <string>

namespace outbox {
namespace {

bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}

/// Reads JSON once, without computing a number or building anything.
class Check {
public:
    explicit Check(std::string_view text) : rest_(text) {}

    /// True when the whole text is one value. Loops over values; open_ remembers what is still to
    /// be closed.
    bool passes() {
        skip_blanks();
        while (value()) {
            skip_blanks();
            while (!open_.empty() && take(open_.back())) {
                open_.pop_back();
                skip_blanks();
            }
            if (open_.empty()) {
                return rest_.empty();
            }
            if (!take(',')) {
                return false;
            }
            skip_blanks();
            if (open_.back() == '}' && !name()) {
                return false;
            }
        }
        return false;
    }

private:
    /// A scalar, an empty object or array, or the beginning of one up to its first scalar.
    bool value() {
        while (true) {
            if (take('{')) {
                skip_blanks();
                if (take('}')) {
                    return true;
                }
                open_ += '}';
                if (!name()) {
                    return false;
                }
            } else if (take('[')) {
                skip_blanks();
                if (take(']')) {
                    return true;
                }
                open_ += ']';
            } else {
                return scalar();
            }
        }
    }

    /// A number, a string, or one of the three words.
    bool scalar() {
        if (!rest_.empty() && (rest_.front() == '-' || is_digit(rest_.front()))) {
            return number();
        }
        return string() || take("true") || take("false") || take("null");
    }

    /// A member's name with its colon.
    bool name() {
        if (!string()) {
            return false;
        }
        skip_blanks();
        if (!take(':')) {
            return false;
        }
        skip_blanks();
        return true;
    }

    bool string() {
        if (!take('"')) {
            return false;
        }
        while (!rest_.empty() && static_cast<unsigned char>(rest_.front()) >= 0x20) {
            if (take('"')) {
                return true;
            }
            if (!take('\\')) {
                rest_.remove_prefix(1);
            } else if (!escape()) {
                return false;
            }
        }
        return false;
    }

    /// What may follow a backslash. A surrogate pair must be whole.
    bool escape() {
        if (rest_.empty()) {
            return false;
        }
        if (rest_.front() != 'u') {
            constexpr std::string_view known = "\"\\/bfnrt";
            const bool good = known.find(rest_.front()) != std::string_view::npos;
            rest_.remove_prefix(1);
            return good;
        }
        const auto unit = code_unit();
        const bool high = unit >= 0xD800 && unit < 0xDC00;
        if (high && take('\\')) {
            const auto low = code_unit();
            return low >= 0xDC00 && low < 0xE000;
        }
        return unit > 0 &&
               (unit < 0xD800 || unit >= 0xE000); // PostgreSQL stores no NUL, and no half of a pair
    }

    /// `uXXXX`; 0 where it is none.
    std::uint32_t code_unit() {
        std::uint32_t unit = 0;
        constexpr std::size_t length = 5;
        if (rest_.size() < length || rest_.front() != 'u') {
            return 0;
        }
        for (std::size_t i = 1; i < length; ++i) {
            const char c = rest_[i];
            const char low = static_cast<char>(c | 0x20);
            if (!is_digit(c) && (low < 'a' || low > 'f')) {
                return 0;
            }
            unit = unit * 16 + static_cast<std::uint32_t>(is_digit(c) ? c - '0' : low - 'a' + 10);
        }
        rest_.remove_prefix(length);
        return unit;
    }

    /// Takes digits off the text, maybe none.
    std::string_view digits() {
        const auto end = static_cast<std::size_t>(std::ranges::find_if_not(rest_, is_digit) - rest_.begin());
        const auto found = rest_.substr(0, end);
        rest_.remove_prefix(end);
        return found;
    }

    /// A number by JSON's grammar that also fits into `numeric`.
    bool number() {
        take('-');
        const auto whole = digits();
        if (whole.empty() || (whole.size() > 1 && whole.front() == '0')) {
            return false;
        }
        std::string_view fraction;
        if (take('.')) {
            fraction = digits();
            if (fraction.empty()) {
                return false;
            }
        }
        std::int64_t exponent = 0;
        if (take('e') || take('E')) {
            const bool negative = take('-');
            if (!negative) {
                take('+');
            }
            auto power = digits();
            if (power.empty()) {
                return false;
            }
            power.remove_prefix(std::min(power.find_first_not_of('0'), power.size()));
            // An exponent of ten digits or more is beyond numeric whatever stands in front.
            constexpr std::size_t longest = 9;
            if (power.size() > longest) {
                return false;
            }
            for (const char c : power) {
                exponent = exponent * 10 + (c - '0');
            }
            exponent = negative ? -exponent : exponent;
        }
        return fits_numeric(whole, fraction, exponent);
    }

    /// What jsonb keeps numbers as has 131,072 digits before its point and 16,383 behind it.
    static bool fits_numeric(std::string_view whole, std::string_view fraction, std::int64_t exponent) {
        constexpr std::int64_t most_before = 131'072;
        constexpr std::int64_t most_behind = 16'383;
        if (static_cast<std::int64_t>(fraction.size()) - exponent > most_behind) {
            return false;
        }
        std::int64_t before = 0;
        if (const auto first = whole.find_first_not_of('0'); first != std::string_view::npos) {
            before = static_cast<std::int64_t>(whole.size() - first);
        } else if (const auto next = fraction.find_first_not_of('0'); next != std::string_view::npos) {
            before = -static_cast<std::int64_t>(next);
        } else {
            return true; // zero
        }
        return before + exponent <= most_before;
    }

    void skip_blanks() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size())); }

    bool take(char c) {
        const bool there = !rest_.empty() && rest_.front() == c;
        rest_.remove_prefix(there ? 1 : 0);
        return there;
    }
    bool take(std::string_view word) {
        const bool there = rest_.starts_with(word);
        rest_.remove_prefix(there ? word.size() : 0);
        return there;
    }

    std::string_view rest_;
    std::string open_; ///< what ends each object and array that has begun
};

} // namespace

bool is_storable_json(std::string_view text) {
    return is_storable(text) && Check(text).passes();
}

} // namespace outbox
