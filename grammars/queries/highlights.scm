; Colours for an editor, by the names that tree-sitter's own C queries use.

(identifier) @variable
((identifier) @constant
  (#match? @constant "^[A-Z][A-Z\\d_]*$"))

[
  "break" "case" "const" "continue" "default" "do" "else" "enum" "extern" "for" "goto" "if" "inline" "__inline"
  "__inline__" "register" "return" "sizeof" "static" "struct" "switch" "typedef" "typeof" "__typeof__" "__typeof"
  "union" "volatile" "while" "asm" "__asm__" "__asm" "asm_inline" "__label__" "_Generic" "offsetof"
] @keyword

[
  "#define" "#elif" "#else" "#endif" "#if" "#ifdef" "#ifndef" "#include"
] @keyword
(preproc_directive) @keyword
(preproc_line) @keyword
(preproc_skipped) @comment

[
  "--" "-" "-=" "->" "=" "!=" "*" "&" "&&" "+" "++" "+=" "<" "<=" "==" ">" ">=" "||" "|" "^" "~" "!" "/" "%" "<<" ">>"
  "|=" "&=" "^=" "<<=" ">>=" "*=" "/=" "%="
] @operator

["." ";" "," ":"] @delimiter

(string_literal) @string
(system_lib_string) @string
(escape_sequence) @escape
(null) @constant
(true) @constant
(false) @constant
(number_literal) @number
(char_literal) @number

(field_identifier) @property
(statement_identifier) @label
(type_identifier) @type
(primitive_type) @type
(sized_type_specifier) @type
(enumerator name: (identifier) @constant)

(call_expression function: (identifier) @function)
(call_expression function: (field_expression field: (field_identifier) @function))
(function_declarator declarator: (identifier) @function)
(preproc_def name: (identifier) @constant.macro)
(preproc_function_def name: (identifier) @function.special)

(annotation name: (identifier) @attribute)
(attribute_specifier) @attribute
(macro_statement name: (identifier) @function.special)
(macro_declaration name: (identifier) @function.special)
(macro_function_definition name: (identifier) @function.special)
(macro_field name: (identifier) @function.special)
(macro_element name: (identifier) @function.special)
(macro_enumerator name: (identifier) @function.special)
(machine_definition name: (identifier) @function.special)
(field_group name: (identifier) @function.special)
(type_macro name: (identifier) @type)

(comment) @comment
