// Prints docs/metrics.md.

#include <outbox/metrics/document.hpp>

#include <iostream>

int main() {
    std::cout << outbox::metrics::document();
}
