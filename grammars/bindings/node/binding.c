// Hands the grammar to Node as the object that `tree-sitter` expects: its name, and the language behind a
// tag by which the engine knows it is one.

#define NAPI_VERSION 8
#include <node_api.h>

typedef struct TSLanguage TSLanguage;
const TSLanguage *tree_sitter_kernel_c(void);

// "tree-sitter", "language" hashed with BLAKE2
static const napi_type_tag LANGUAGE_TYPE_TAG = {0x8AF2E5212AD58ABF, 0xD5006CAD83ABBA16};

NAPI_MODULE_INIT() {
  napi_value name, language;
  if (napi_create_string_utf8(env, "kernel_c", NAPI_AUTO_LENGTH, &name) != napi_ok
      || napi_create_external(env, (void *)tree_sitter_kernel_c(), NULL, NULL, &language) != napi_ok
      || napi_type_tag_object(env, language, &LANGUAGE_TYPE_TAG) != napi_ok
      || napi_set_named_property(env, exports, "name", name) != napi_ok
      || napi_set_named_property(env, exports, "language", language) != napi_ok) {
    napi_throw_error(env, NULL, "tree-sitter-kernel-c: Node refused the language object");
    return NULL;
  }
  return exports;
}
