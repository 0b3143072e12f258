; What an editor folds.
[
  (compound_statement)
  (field_declaration_list)
  (enumerator_list)
  (initializer_list)
  (parameter_list)
  (case_statement)
  (preproc_if)
  (preproc_ifdef)
  (preproc_else)
  (preproc_elif)
  (preproc_skipped)
  (preproc_function_def)
  (comment)
  (gnu_asm_expression)
] @fold
