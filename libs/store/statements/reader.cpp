// Reads .sql files by paragraphs. The first line of a paragraph says what it is (`-- statement: NAME`
// or `-- fragment: NAME(parameters)`), the comments below it say what it is for, and the rest is SQL.
// Whatever does not fit is refused with file and line when the product is built, never when it runs.

#include "reader.hpp"

#include "expansion.hpp"

#include <algorithm>
#include <set>
#include <sstream>
#include <stdexcept>

namespace outbox::statements {
namespace {

constexpr std::string_view statement_mark = "-- statement: ";
constexpr std::string_view fragment_mark = "-- fragment: ";
constexpr std::string_view place_mark = "-- place ";

/// A line and where it stands, for messages.
struct Line {
    std::string text;
    std::size_t number = 0;
};
/// Lines up to the next empty one.
using Paragraph = std::vector<Line>;

std::string where(const Source& source, const Line& line) {
    return source.file + ":" + std::to_string(line.number) + ": ";
}

[[noreturn]] void refuse(const Source& source, const Line& line, const std::string& why) {
    throw std::runtime_error(where(source, line) + why);
}

/// @throws std::runtime_error for a line of blanks, which looks empty and would not end a paragraph
std::vector<Paragraph> paragraphs_of(const Source& source) {
    std::vector<Paragraph> paragraphs(1);
    std::istringstream in(source.text);
    std::size_t number = 0;
    for (std::string text; std::getline(in, text);) {
        ++number;
        if (!text.empty() && text.find_first_not_of(" \t") == std::string::npos) {
            refuse(source, {text, number}, "a line of blanks alone: leave it empty");
        }
        if (!text.empty()) {
            paragraphs.back().push_back({text, number});
        } else if (!paragraphs.back().empty()) {
            paragraphs.emplace_back();
        }
    }
    if (paragraphs.back().empty()) {
        paragraphs.pop_back();
    }
    return paragraphs;
}

/// True for a line that begins with two dashes, indented or not.
bool is_comment(const Line& line) {
    const auto begin = line.text.find_first_not_of(' ');
    return line.text.compare(begin, 2, "--") == 0;
}

/// Lines of SQL; comments among them are for who reads the file.
std::string body_of(const Paragraph& paragraph, std::size_t from) {
    std::string body;
    for (std::size_t i = from; i < paragraph.size(); ++i) {
        if (!is_comment(paragraph[i])) {
            body += body.empty() ? "" : "\n";
            body += paragraph[i].text;
        }
    }
    return body;
}

/// What stands above the SQL of a paragraph.
struct Head {
    std::string comment;
    std::vector<Place> places;
    std::size_t end = 1; ///< the first line of SQL
};

Head head_of(const Source& source, const Paragraph& paragraph) {
    Head head;
    for (; head.end < paragraph.size() && is_comment(paragraph[head.end]); ++head.end) {
        const Line& line = paragraph[head.end];
        if (line.text.starts_with(place_mark)) {
            const auto colon = line.text.find(": ");
            if (colon == std::string::npos) {
                refuse(source, line, "a place is written `-- place NAME: EXAMPLE`");
            }
            head.places.push_back({line.text.substr(place_mark.size(), colon - place_mark.size()),
                                   line.text.substr(colon + 2)});
        } else {
            head.comment += head.comment.empty() ? "" : "\n";
            head.comment += line.text.substr(std::min<std::size_t>(3, line.text.size()));
        }
    }
    if (head.comment.empty()) {
        refuse(source, paragraph.front(), "has no comment that says what it is for");
    }
    return head;
}

/// Collects the paragraphs of all files, and fills the fragments in when all are known.
class Reader {
public:
    explicit Reader(const std::map<std::string, std::string>& constants) {
        for (const auto& [name, text] : constants) {
            fragments_.emplace(name, Fragment{{}, text, "", true});
        }
    }

    void add(const Source& source) {
        for (const Paragraph& paragraph : paragraphs_of(source)) {
            const std::string& first = paragraph.front().text;
            if (first.starts_with(statement_mark)) {
                add_statement(source, paragraph);
            } else if (first.starts_with(fragment_mark)) {
                add_fragment(source, paragraph);
            } else if (!std::all_of(paragraph.begin(), paragraph.end(), is_comment)) {
                refuse(source, paragraph.front(), "a statement without a name, or an empty line within one");
            }
        }
    }

    /// The statements, complete. A fragment that no statement uses is a leftover, and refused.
    std::vector<Entry> take() {
        Expansion expansion(fragments_);
        for (std::size_t i = 0; i < entries_.size(); ++i) {
            std::set<std::string> places;
            for (const Place& place : entries_[i].places) {
                places.insert(place.name);
            }
            entries_[i].sql = expansion.fill(entries_[i].sql, places, wheres_[i]);
            for (Place& place : entries_[i].places) {
                place.example = expansion.fill(place.example, {}, wheres_[i]);
            }
        }
        for (const auto& [name, fragment] : fragments_) {
            if (!fragment.used) {
                throw std::runtime_error(fragment.where + "no statement uses the fragment " + name);
            }
        }
        return std::move(entries_);
    }

private:
    void note_name(const Source& source, const Line& line, const std::string& name) {
        if (!is_name(name)) {
            refuse(source, line, "'" + name + "' is no name: it takes a-z, 0-9 and _");
        }
        if (!names_.insert(name).second || fragments_.contains(name)) {
            refuse(source, line, "there are two of the name " + name);
        }
    }

    void add_statement(const Source& source, const Paragraph& paragraph) {
        const Line& first = paragraph.front();
        const std::string name = first.text.substr(statement_mark.size());
        note_name(source, first, name);
        Head head = head_of(source, paragraph);
        std::string body = body_of(paragraph, head.end);
        if (!body.ends_with(';')) {
            refuse(source, first, name + " does not end with a semicolon");
        }
        body.pop_back();
        entries_.push_back(
            {source.file, name, std::move(head.comment), std::move(body), std::move(head.places)});
        wheres_.push_back(where(source, first) + name + ": ");
    }

    void add_fragment(const Source& source, const Paragraph& paragraph) {
        const Line& first = paragraph.front();
        const std::string call = first.text.substr(fragment_mark.size());
        const std::string name = call.substr(0, call.find('('));
        note_name(source, first, name);
        Fragment fragment;
        if (name.size() < call.size()) {
            fragment.parameters = arguments_of(call, name.size(), where(source, first)).first;
        }
        const Head head = head_of(source, paragraph);
        fragment.text = body_of(paragraph, head.end);
        fragment.where = where(source, first);
        if (fragment.text.empty() || fragment.text.ends_with(';') || !head.places.empty()) {
            refuse(source, first,
                   "fragment " + name +
                       " is a part of a statement: it has text, no semicolon "
                       "at its end, and no places");
        }
        fragments_.emplace(name, std::move(fragment));
    }

    std::set<std::string> names_;
    Fragments fragments_;
    std::vector<Entry> entries_;
    std::vector<std::string> wheres_; ///< of the entries, for messages
};

} // namespace

std::vector<Entry> read(std::span<const Source> sources,
                        const std::map<std::string, std::string>& constants) {
    Reader reader(constants);
    for (const Source& source : sources) {
        reader.add(source);
    }
    return reader.take();
}

std::string Entry::example() const {
    Fragments examples;
    for (const Place& place : places) {
        examples.emplace(place.name, Fragment{{}, place.example, "", true});
    }
    return Expansion(examples).fill(sql, {}, name + ": ");
}

} // namespace outbox::statements
