# -DOUTBOX_SANITIZE=address,undefined or thread; the presets asan-ubsan and tsan set it.
if(OUTBOX_SANITIZE)
  add_compile_options(-fsanitize=${OUTBOX_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${OUTBOX_SANITIZE})
endif()
