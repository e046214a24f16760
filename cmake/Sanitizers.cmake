# -DOUTBOX_SANITIZE=address,undefined or thread; the presets asan-ubsan and tsan set it.
if(OUTBOX_SANITIZE)
  add_compile_options(-fsanitize=${OUTBOX_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${OUTBOX_SANITIZE})
  if(OUTBOX_SANITIZE STREQUAL "thread")
    add_compile_options(-Wno-tsan) # about fences in Asio's headers, which tsan does not model
  endif()
endif()
