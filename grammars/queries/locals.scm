; Which names are seen where.

(function_definition) @local.scope
(macro_function_definition) @local.scope
(compound_statement) @local.scope
(for_statement) @local.scope

(parameter_declaration declarator: (identifier) @local.definition)
(parameter_declaration declarator: (pointer_declarator declarator: (identifier) @local.definition))
(parameter_declaration declarator: (array_declarator declarator: (identifier) @local.definition))
(declaration declarator: (identifier) @local.definition)
(declaration declarator: (pointer_declarator declarator: (identifier) @local.definition))
(declaration declarator: (array_declarator declarator: (identifier) @local.definition))
(init_declarator declarator: (identifier) @local.definition)
(init_declarator declarator: (pointer_declarator declarator: (identifier) @local.definition))
(init_declarator declarator: (array_declarator declarator: (identifier) @local.definition))
(macro_declaration arguments: (argument_list . (identifier) @local.definition))
(labeled_statement label: (statement_identifier) @local.definition)

(identifier) @local.reference
(goto_statement label: (statement_identifier) @local.reference)
