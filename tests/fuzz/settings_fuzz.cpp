// Configuration, a NAME=value on each line: taken within its limits, or refused with a UsageError.
#include "expect.hpp"

#include <outbox/core/error.hpp>
#include <outbox/core/settings.hpp>

#include <cstddef>
#include <cstdint>
#include <sstream>

namespace {

using outbox::Program;
using outbox::Setting;

std::map<std::string, std::string> flags_of(const std::string& text) {
    std::map<std::string, std::string> flags;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        const auto equals = line.find('=');
        if (equals != std::string::npos) {
            flags[line.substr(0, equals)] = line.substr(equals + 1);
        }
    }
    return flags;
}

void expect_within_limits(const outbox::Settings& settings, const Setting& setting) {
    if (!settings.has(setting.name)) {
        return;
    }
    if (setting.kind == Setting::Kind::integer) {
        const auto value = static_cast<double>(settings.integer(setting.name));
        expect(value >= setting.min && value <= setting.max);
    } else if (setting.kind == Setting::Kind::seconds) {
        const auto value = static_cast<double>(settings.seconds(setting.name).count());
        expect(value >= setting.min * 1000 - 1 && value <= setting.max * 1000 + 1);
    }
}

} // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto flags = flags_of(std::string(reinterpret_cast<const char*>(data), size));
    for (const Program program : {Program::server, Program::relay, Program::migrate}) {
        try {
            const auto settings =
                outbox::Settings::load(program, flags, [](const char*) -> const char* { return nullptr; });
            for (const Setting& setting : outbox::all_settings()) {
                if (setting.belongs_to(program)) {
                    expect_within_limits(settings, setting);
                }
            }
        } catch (const outbox::UsageError& error) {
            expect(std::string_view(error.what()).find('\n') == std::string_view::npos); // one line
        }
    }
    return 0;
}
