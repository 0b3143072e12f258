; What the review looks for. Captures, each on the node that a finding would mark:
;   function, function.name, function.annotation    definitions with what is written on them
;   data, data.name, data.annotation                file-scope data placed by an annotation
;   type, type.name, type.member                    structs, unions and enums with their members
;   macro, macro.name, macro.use                    definitions and uses of macros
;   export, initcall, syscall, parameter            what the kernel registers by name
;   lock, refcount                                  calls that take or drop something

(function_definition
  declarator: (_) @function.name) @function
(function_definition (annotation) @function.annotation)
(function_definition declarator: (function_declarator (annotation) @function.annotation))
(function_definition declarator: (pointer_declarator (annotation) @function.annotation))
(macro_function_definition name: (identifier) @function.name) @function
(macro_function_definition (annotation) @function.annotation)

(translation_unit (declaration (annotation) @data.annotation) @data)
(translation_unit (declaration declarator: (init_declarator declarator: (_) @data.name)) @data)
(translation_unit (declaration declarator: (init_declarator (annotation) @data.annotation)) @data)
(macro_declaration name: (identifier) @data.name) @data

(struct_specifier name: (type_identifier)? @type.name body: (field_declaration_list)) @type
(union_specifier name: (type_identifier)? @type.name body: (field_declaration_list)) @type
(enum_specifier name: (type_identifier)? @type.name body: (enumerator_list)) @type
(field_declaration) @type.member
(macro_field) @type.member
(enumerator) @type.member

(preproc_def name: (identifier) @macro.name) @macro
(preproc_function_def name: (identifier) @macro.name) @macro
(macro_statement name: (identifier) @macro.use)
(macro_declaration name: (identifier) @macro.use)
(macro_function_definition name: (identifier) @macro.use)
(macro_field name: (identifier) @macro.use)

((call_expression function: (identifier) @_name) @export
  (#match? @_name "^EXPORT_(SYMBOL|PER_CPU_SYMBOL|TRACEPOINT_SYMBOL|STATIC_CALL)"))
((macro_statement name: (identifier) @_name) @export
  (#match? @_name "^EXPORT_(SYMBOL|PER_CPU_SYMBOL|TRACEPOINT_SYMBOL|STATIC_CALL)"))

((call_expression function: (identifier) @_name) @initcall
  (#match? @_name "(^|_)initcall(_sync)?$|^module_(init|exit)$|^module_[a-z0-9_]+_driver$|^builtin_[a-z0-9_]+_driver$|^__exitcall$"))

((macro_function_definition name: (identifier) @_name) @syscall
  (#match? @_name "^(COMPAT_)?(SYSCALL|SYSCALL32)_DEFINE[0-6x]$"))

((call_expression function: (identifier) @_name) @parameter
  (#match? @_name "^(module_param|core_param|__setup|early_param|MODULE_PARM_DESC)"))

((call_expression function: (identifier) @_name) @lock
  (#match? @_name "^_*(raw_)?(spin|read|write|rw|mutex|down|up|rcu|srcu|rt_mutex|seq|write_seq|read_seq|local|lock|unlock|percpu_down|percpu_up|ww_mutex|bit_spin|task_rq|rq)_?(try|re)?_?(un)?(lock|down|up|read|write|begin|end|retry)?(_.*)?$")
  (#match? @_name "lock|down|up_read|up_write|^up$|seq|rcu_read|_acquire|_release"))
((call_expression function: (call_expression function: (identifier) @_name)) @lock
  (#eq? @_name "guard"))
((macro_statement name: (identifier) @_name) @lock
  (#match? @_name "^scoped_(cond_)?guard$"))

((call_expression function: (identifier) @_name) @refcount
  (#match? @_name "^(refcount|kref|atomic|percpu_ref|kobject|get|put|fget|fput|dget|dput|iget|iput|sock|dev|of_node|module|try_module)(_.*)?$")
  (#match? @_name "get|put|inc|dec|hold|ref"))
