; Other languages within: the template of inline assembler, and the branches that were left as text.
((gnu_asm_expression
   assembly_code: (string_literal (string_content) @injection.content))
 (#set! injection.language "asm"))
((gnu_asm_expression
   assembly_code: (concatenated_string (string_literal (string_content) @injection.content)))
 (#set! injection.language "asm")
 (#set! injection.combined))
((preproc_arg) @injection.content
 (#set! injection.language "kernel_c"))
((comment) @injection.content
 (#set! injection.language "comment"))
