// outbox-embed-sql FOLDER FILE...: writes the C++ of libs/store/sql/*.sql into FOLDER while the product is
// built.
#include "reader.hpp"

#include <outbox/core/event.hpp>
#include <outbox/store/transitions.hpp>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <stdexcept>

namespace {

namespace fs = std::filesystem;
using outbox::statements::Source;

std::string text_of(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) {
        throw std::runtime_error(path.string() + ": cannot be read");
    }
    return {std::istreambuf_iterator<char>(in), {}};
}

/// What stands there already keeps its time, so that nothing is compiled again for it.
void write(const fs::path& path, const std::string& text) {
    if (fs::exists(path) && text_of(path) == text) {
        return;
    }
    std::ofstream out(path, std::ios::binary);
    out << text << std::flush;
    if (!out) {
        throw std::runtime_error(path.string() + ": cannot be written");
    }
}

/// Fragments that C++ and SQL have in common: the number of buckets, and from which states who may bring an
/// event to another one.
std::map<std::string, std::string> constants() {
    namespace store = outbox::store;
    std::map<std::string, std::string> texts{{"bucket_count", std::to_string(outbox::bucket_count)},
                                             {"last_bucket", std::to_string(outbox::bucket_count - 1)}};
    for (const std::string_view state : store::all_statuses) {
        for (const std::string_view who : store::all_actors) {
            std::string name = std::string(who) + "_to_" + std::string(state);
            std::transform(name.begin(), name.end(), name.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
            if (auto before = store::states_before(who, state); !before.empty()) {
                texts.emplace(std::move(name), std::move(before));
            }
        }
        if (store::is_unsent(state)) {
            std::string& unsent = texts["unsent_states"];
            unsent.append(unsent.empty() ? "'" : ", '").append(state).append("'");
        }
    }
    return texts;
}

/// Writes a header for each file of SQL, and for the store the table that outbox-migrate prints from.
void embed(const fs::path& folder, const std::string& library, const std::vector<fs::path>& files) {
    std::vector<Source> sources;
    for (const fs::path& file : files) {
        sources.push_back({file.stem().string(), text_of(file)});
    }
    const auto entries = outbox::statements::read(sources, constants());
    const fs::path headers = folder / "outbox" / library / "sql";
    fs::create_directories(headers);
    for (const Source& source : sources) {
        write(headers / (source.file + ".hpp"), outbox::statements::header_of(library, source.file, entries));
    }
    if (library == "store") { // what outbox-migrate prints
        write(folder / "statement_table.cpp", outbox::statements::table_of(entries));
    }
}

} // namespace

int main(int argc, char** argv) {
    try {
        if (argc < 3) {
            throw std::runtime_error("names a folder, a library, then files");
        }
        embed(argv[1], argv[2], {argv + 3, argv + argc});
        return 0;
    } catch (const std::exception& error) {
        std::cerr << "outbox-embed-sql: " << error.what() << '\n';
        return 1;
    }
}
