; Definitions and references for an index.

(struct_specifier name: (type_identifier) @name body: (_)) @definition.class
(union_specifier name: (type_identifier) @name body: (_)) @definition.class
(enum_specifier name: (type_identifier) @name body: (_)) @definition.type
(type_definition declarator: (type_identifier) @name) @definition.type
(function_declarator declarator: (identifier) @name) @definition.function
(preproc_function_def name: (identifier) @name) @definition.macro
(preproc_def name: (identifier) @name) @definition.macro

; SYSCALL_DEFINE3(open, …): the first argument is the name.
(macro_function_definition arguments: (argument_list . (identifier) @name)) @definition.function
; DEFINE_MUTEX(lock): the first argument; with a type before it, the second.
(macro_declaration arguments: (argument_list . (identifier) @name)) @definition.variable
(macro_declaration arguments: (argument_list . (type_descriptor) . (identifier) @name)) @definition.variable

(call_expression function: (identifier) @name) @reference.call
(macro_statement name: (identifier) @name) @reference.call
