# -DOUTBOX_SANITIZE=address,undefined or thread; the presets asan-ubsan and tsan set it.
# The tests' time limits are for programs at full speed; OUTBOX_SLOWNESS is the factor for others.
set(OUTBOX_SLOWNESS 1)
if(OUTBOX_SANITIZE)
  set(OUTBOX_SLOWNESS 5)
  add_compile_options(-fsanitize=${OUTBOX_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${OUTBOX_SANITIZE})
  if(OUTBOX_SANITIZE STREQUAL "thread")
    add_compile_options(-Wno-tsan) # about fences in Asio's headers, which tsan does not model
    add_library(outbox_c11_threads SHARED "${CMAKE_CURRENT_LIST_DIR}/c11_threads.cpp")
    link_libraries(-Wl,--no-as-needed outbox_c11_threads)
  endif()
endif()

# -DOUTBOX_FUZZ=ON, with clang: libFuzzer targets in tests/fuzz; the preset fuzz sets it.
option(OUTBOX_FUZZ "Build the fuzzers" OFF)
if(OUTBOX_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
