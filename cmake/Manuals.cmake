# The programs print their own manual pages and completions (libs/core: man_page, completion); here they become files, in
# build/share as they are installed.
file(MAKE_DIRECTORY
  "${CMAKE_BINARY_DIR}/share/man/man1" "${CMAKE_BINARY_DIR}/share/bash-completion/completions"
  "${CMAKE_BINARY_DIR}/share/zsh/site-functions" "${CMAKE_BINARY_DIR}/share/fish/vendor_completions.d")
foreach(name IN ITEMS outbox-backfill outbox-migrate outbox-relay outbox-server)
  set(man "${CMAKE_BINARY_DIR}/share/man/man1/${name}.1")
  set(bash "${CMAKE_BINARY_DIR}/share/bash-completion/completions/${name}")
  set(zsh "${CMAKE_BINARY_DIR}/share/zsh/site-functions/_${name}")
  set(fish "${CMAKE_BINARY_DIR}/share/fish/vendor_completions.d/${name}.fish")
  add_custom_command(
    OUTPUT "${man}" "${bash}" "${zsh}" "${fish}"
    COMMAND ${name} man > "${man}"
    COMMAND ${name} completion bash > "${bash}"
    COMMAND ${name} completion zsh > "${zsh}"
    COMMAND ${name} completion fish > "${fish}"
    DEPENDS ${name}
    VERBATIM)
  list(APPEND manuals "${man}" "${bash}" "${zsh}" "${fish}")
  install(FILES "${man}" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1" COMPONENT tools)
  install(FILES "${bash}" DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions" COMPONENT tools)
  install(FILES "${fish}" DESTINATION "${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d" COMPONENT tools)
  # Debian's zsh looks elsewhere than others.
  install(FILES "${zsh}" DESTINATION "${CMAKE_INSTALL_DATADIR}/zsh/site-functions" COMPONENT zsh)
  install(FILES "${zsh}" DESTINATION /usr/share/zsh/vendor-completions COMPONENT debian-tools EXCLUDE_FROM_ALL)
endforeach()
add_custom_target(manuals ALL DEPENDS ${manuals})
