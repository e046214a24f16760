#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::metrics {

/// One element of Accept or Accept-Encoding: "text/plain; version=0.0.4; q=0.5".
struct Choice {
    std::string name;                    ///< in small letters
    std::vector<std::string> parameters; ///< "version=0.0.4", in small letters, without q
    double quality = 1;                  ///< 0: not acceptable; so is one that cannot be read
};

/// The elements of such a field, in order.
std::vector<Choice> choices_of(std::string_view field);

/// The quality of what `specificity` says fits an element, and how well: 0 when it does not fit. The element
/// that fits best decides; of two that fit as well the first. Nothing fits: -1.
double quality_of(const std::vector<Choice>& choices, const std::function<int(const Choice&)>& specificity);

} // namespace outbox::metrics
