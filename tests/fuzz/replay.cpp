// Where no fuzzer is: a target over the files of its corpus, and over what a few changes make of them; always
// the same.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr int variants = 5'000; // of each file

std::vector<std::string> files_in(const std::string& folder) {
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        paths.push_back(entry.path());
    }
    std::sort(paths.begin(), paths.end());
    std::vector<std::string> texts;
    for (const auto& path : paths) {
        std::ifstream file(path, std::ios::binary);
        texts.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
    return texts;
}

void change(std::string& text, std::mt19937& random) {
    const auto at = random() % (text.size() + 1);
    const char byte = static_cast<char>(random());
    switch (random() % 4) {
    case 0:
        text.insert(at, 1, byte);
        break;
    case 1:
        text.erase(at, 1 + random() % 4);
        break;
    case 2:
        text.insert(at, text.substr(random() % (text.size() + 1), 16));
        break;
    default:
        if (at < text.size()) {
            text[at] = byte;
        }
    }
}

void run(const std::string& text) {
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: " << argv[0] << " CORPUS\n";
        return 2;
    }
    const auto corpus = files_in(argv[1]);
    std::mt19937 random(1); // NOLINT(cert-msc51-cpp): always the same
    for (const std::string& text : corpus) {
        run(text);
        for (int i = 0; i < variants; ++i) {
            std::string variant = text;
            for (auto changes = 1 + random() % 4; changes > 0; --changes) {
                change(variant, random);
            }
            run(variant);
        }
    }
    std::cout << corpus.size() << " files and " << corpus.size() * variants << " variants\n";
    return corpus.empty() ? 1 : 0;
}
