#include <outbox/support/process.hpp>
#include <outbox/support/wait.hpp>

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <thread>
#include <utility>

extern char** environ;

namespace outbox::support {
namespace {

constexpr std::chrono::milliseconds poll_interval{5};

/// A file without a name; each child gets its own.
int capture_file(const char* name) {
    const int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0) {
        throw std::runtime_error(fmt::format("memfd_create: {}", std::strerror(errno)));
    }
    return fd;
}

std::string contents(int fd) {
    std::string text;
    char buffer[4096];
    ssize_t got = 0;
    while ((got = pread(fd, buffer, sizeof buffer, static_cast<off_t>(text.size()))) > 0) {
        text.append(buffer, static_cast<std::size_t>(got));
    }
    return text;
}

std::vector<std::string> merged_environment(const std::map<std::string, std::string>& changes) {
    std::vector<std::string> variables;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string variable = *entry;
        if (!changes.contains(variable.substr(0, variable.find('=')))) {
            variables.push_back(variable);
        }
    }
    for (const auto& [name, value] : changes) {
        if (!value.empty()) {
            variables.push_back(fmt::format("{}={}", name, value));
        }
    }
    return variables;
}

std::vector<char*> pointers_to(std::vector<std::string>& words) {
    std::vector<char*> pointers;
    pointers.reserve(words.size() + 1);
    for (std::string& word : words) {
        pointers.push_back(word.data());
    }
    pointers.push_back(nullptr);
    return pointers;
}

/// Between fork and exec: system calls only.
[[noreturn]] void become(char* const* words, char* const* environment, int output, int errors, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || dup2(output, STDOUT_FILENO) < 0 || dup2(errors, STDERR_FILENO) < 0) {
        _exit(126);
    }
    execvpe(words[0], words, environment);
    constexpr std::string_view message = "cannot be executed\n";
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, message.data(), message.size());
    _exit(127);
}

} // namespace

Process::Process(const Command& command) : program_(command.words.at(0)) {
    std::vector<std::string> words = command.words;
    output_fd_ = capture_file("stdout");
    errors_fd_ = capture_file("stderr");
    signals_fd_ = capture_file("signals");
    const pid_t parent = getpid();
    auto changes = command.environment;
    changes["OUTBOX_FAULT_SIGNALS"] = fmt::format("/proc/{}/fd/{}", parent, signals_fd_);
    std::vector<std::string> variables = merged_environment(changes);
    const auto arguments = pointers_to(words);
    const auto environment = pointers_to(variables);
    pid_ = fork();
    if (pid_ == 0) {
        become(arguments.data(), environment.data(), output_fd_, errors_fd_, parent);
    }
    if (pid_ < 0) {
        clear();
        throw std::runtime_error(fmt::format("{}: fork: {}", program_, std::strerror(errno)));
    }
}

Process::Process(Process&& other) noexcept
    : program_(std::move(other.program_)),
      pid_(std::exchange(other.pid_, -1)),
      output_fd_(std::exchange(other.output_fd_, -1)),
      errors_fd_(std::exchange(other.errors_fd_, -1)),
      signals_fd_(std::exchange(other.signals_fd_, -1)),
      status_(std::exchange(other.status_, std::nullopt)) {}

Process& Process::operator=(Process&& other) noexcept {
    if (this != &other) {
        clear();
        program_ = std::move(other.program_);
        pid_ = std::exchange(other.pid_, -1);
        output_fd_ = std::exchange(other.output_fd_, -1);
        errors_fd_ = std::exchange(other.errors_fd_, -1);
        signals_fd_ = std::exchange(other.signals_fd_, -1);
        status_ = std::exchange(other.status_, std::nullopt);
    }
    return *this;
}

Process::~Process() {
    clear();
}

void Process::clear() noexcept {
    if (pid_ > 0 && !status_) {
        ::kill(pid_, SIGKILL);
        reap(true);
    }
    for (int* fd : {&output_fd_, &errors_fd_, &signals_fd_}) {
        if (*fd >= 0) {
            close(std::exchange(*fd, -1));
        }
    }
    pid_ = -1;
}

bool Process::reap(bool block) {
    if (status_) {
        return true;
    }
    int status = 0;
    pid_t got = 0;
    do {
        got = waitpid(pid_, &status, block ? 0 : WNOHANG);
    } while (got < 0 && errno == EINTR);
    if (got == pid_) {
        status_ = status;
    }
    return status_.has_value();
}

bool Process::running() {
    return pid_ > 0 && !reap(false);
}

bool Process::stopped() const {
    std::ifstream file(fmt::format("/proc/{}/stat", pid_));
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    return text.find(") T ") != std::string::npos;
}

void Process::signal(int number) {
    if (running()) { // not reaped yet, so the id is still its own
        ::kill(pid_, number);
    }
}

Outcome Process::wait(Deadline deadline) {
    while (!reap(false)) {
        if (deadline.passed()) {
            const Outcome killed = kill();
            throw std::runtime_error(fmt::format("{} did not end in time\nstdout: {}\nstderr: {}", program_,
                                                 killed.output, killed.errors));
        }
        std::this_thread::sleep_for(poll_interval);
    }
    Outcome outcome{.output = output(), .errors = errors()};
    if (WIFEXITED(*status_)) {
        outcome.exit_code = WEXITSTATUS(*status_);
    } else {
        outcome.signal = WTERMSIG(*status_);
    }
    return outcome;
}

Outcome Process::kill() {
    signal(SIGKILL);
    reap(true);
    return wait(Deadline::in(std::chrono::seconds(1)));
}

std::string Process::output() const {
    return contents(output_fd_);
}

std::string Process::errors() const {
    return contents(errors_fd_);
}

std::vector<Signal> Process::signals() const {
    return signals_of(contents(signals_fd_));
}

int Process::count(const Signal& wanted) const {
    const auto all = signals();
    return static_cast<int>(
        std::count_if(all.begin(), all.end(), [&](const Signal& said) { return wanted.matches(said); }));
}

bool Process::wait_for(const Signal& wanted, Deadline deadline, int times) {
    return wait_until_holds([&] { return count(wanted) >= times; }, deadline);
}

bool Process::wait_for_text(const std::string& text, Deadline deadline) {
    return wait_until_holds(
        [&] { return errors().find(text) != std::string::npos || output().find(text) != std::string::npos; },
        deadline);
}

/// What it has said before its end counts.
bool Process::wait_until_holds(const std::function<bool()>& condition, Deadline deadline) {
    while (true) {
        const bool ended = !running();
        if (condition()) {
            return true;
        }
        if (ended || deadline.passed()) {
            return false;
        }
        std::this_thread::sleep_for(poll_interval);
    }
}

Outcome run(const Command& command, std::chrono::milliseconds limit) {
    return Process(command).wait(Deadline::in(limit * slowness));
}

} // namespace outbox::support
