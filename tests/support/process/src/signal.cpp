#include <outbox/support/signal.hpp>

#include <algorithm>
#include <sstream>

namespace outbox::support {
namespace {

Signal signal_of(const std::string& line) {
    std::istringstream words(line);
    std::string word;
    std::getline(words, word, '\t');
    Signal signal(word);
    while (std::getline(words, word, '\t')) {
        const auto sign = word.find('=');
        signal.values[word.substr(0, sign)] = sign == std::string::npos ? "" : word.substr(sign + 1);
    }
    return signal;
}

} // namespace

Signal Signal::with(const std::string& value_name, const std::string& value) const {
    Signal other = *this;
    other.values[value_name] = value;
    return other;
}

Signal Signal::saying(const std::string& some_words) const {
    Signal other = *this;
    other.words = some_words;
    return other;
}

bool Signal::matches(const Signal& said) const {
    const auto has = [&](const auto& value) {
        const auto found = said.values.find(value.first);
        return found != said.values.end() && found->second == value.second;
    };
    const auto says = [&](const auto& value) { return value.second.find(words) != std::string::npos; };
    return name == said.name && std::all_of(values.begin(), values.end(), has) &&
           (words.empty() || std::any_of(said.values.begin(), said.values.end(), says));
}

std::vector<Signal> signals_of(const std::string& text) {
    std::vector<Signal> signals;
    std::size_t begin = 0;
    for (auto end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
        signals.push_back(signal_of(text.substr(begin, end - begin)));
        begin = end + 1;
    }
    return signals;
}

} // namespace outbox::support
