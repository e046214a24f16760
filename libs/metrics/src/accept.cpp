#include "accept.hpp"

#include <charconv>

namespace outbox::metrics {
namespace {

constexpr std::string_view blanks = " \t";

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(blanks);
    return first == std::string_view::npos ? std::string_view()
                                           : text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::string lowered(std::string_view text) {
    std::string result(text);
    for (char& c : result) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    }
    return result;
}

/// Takes the text up to the next separator off, and that.
std::string_view take(std::string_view& rest, char separator) {
    const auto end = std::min(rest.find(separator), rest.size());
    const auto part = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return trimmed(part);
}

double quality(std::string_view text) {
    double value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = read.ec == std::errc() && read.ptr == text.data() + text.size();
    return whole && value >= 0 && value <= 1 ? value : 0;
}

} // namespace

std::vector<Choice> choices_of(std::string_view field) {
    std::vector<Choice> choices;
    while (!field.empty()) {
        std::string_view element = take(field, ',');
        Choice choice{lowered(take(element, ';')), {}};
        while (!element.empty()) {
            std::string parameter = lowered(take(element, ';'));
            std::erase(parameter, '"');
            if (parameter.starts_with("q=")) {
                choice.quality = quality(std::string_view(parameter).substr(2));
            } else if (!parameter.empty()) {
                choice.parameters.push_back(std::move(parameter));
            }
        }
        if (!choice.name.empty()) {
            choices.push_back(std::move(choice));
        }
    }
    return choices;
}

double quality_of(const std::vector<Choice>& choices, const std::function<int(const Choice&)>& specificity) {
    int best = 0;
    double found = -1;
    for (const Choice& choice : choices) {
        if (const int fits = specificity(choice); fits > best) {
            best = fits;
            found = choice.quality;
        }
    }
    return found;
}

} // namespace outbox::metrics
