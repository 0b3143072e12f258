/**
 * @file The C of the Linux kernel, as a dialect of tree-sitter-c.
 *
 * Everything tree-sitter-c knows keeps its rule and its node; what is added is listed here, one section a
 * construct. The kernel's dialect cannot be told from C by one token of lookahead (`foo(x)` may be a call, a
 * loop head, a declaration or an attribute), so src/scanner.c looks at the name and at what follows it and
 * hands the grammar a token that says which it is. The decisions are in the scanner; the shapes are here.
 */

/// <reference types="tree-sitter-cli/dsl" />
// @ts-check

import C from "tree-sitter-c/grammar.js";

const { PREC, commaSep, commaSep1 } = C;

// Microsoft's extensions of C are not spoken in the kernel and are left out.
const MICROSOFT = ["ms_declspec_modifier", "seh_try_statement", "seh_leave_statement"];

export default grammar(C, {
  name: "kernel_c",

  // Order is the scanner's `enum TokenType`.
  externals: ($) => [
    // Conditionals around whole items, in a block, a struct or the file …
    $._pp_if,
    $._pp_ifdef,
    $._pp_ifndef,
    // … and around whole elements of an initialiser or an enum.
    $._pp_if_list,
    $._pp_ifdef_list,
    $._pp_ifndef_list,
    $._pp_else,
    $._pp_elif,
    $._pp_elifdef,
    $._pp_elifndef,
    $._pp_endif,
    // Other directives where an item may stand.
    $._pp_include,
    $._pp_define,
    $.preproc_directive,
    // Anywhere else a directive is a line between two tokens, and a branch that does not fit is skipped.
    $._pp_flat_if,
    $._pp_flat_rest,
    $._pp_flat_line,
    $.preproc_skipped,
    $.preproc_arg,
    $._pp_params_start,
    $._pp_newline,
    // Annotations: before the type, after the type or a `*`, after the declarator, after `struct`.
    $._annotation_before,
    $._annotation_call_before,
    $._annotation_after,
    $._annotation_call_after,
    $._annotation_behind,
    $._annotation_call_behind,
    $._annotation_tag,
    $._annotation_call_tag,
    // … and after a label.
    $._annotation_label,
    // Names of macros that are more than an expression.
    $._macro_statement_name,
    $._macro_body_name,
    $._macro_word,
    $._macro_word_body,
    $._macro_function_name,
    $._macro_declaration_name,
    $._macro_bare_name,
    $._macro_field_name,
    $._macro_group_name,
    $._macro_element_name,
    $._type_word,
    $._type_macro,
    $._string_word,
    $._string_call,
    $._string_call_behind,
    $._in_string,
    $._error_sentinel,
  ],

  extras: ($, original) => [...original, $.preproc_line, $.preproc_skipped],

  conflicts: ($, original) => [
    ...original
      .filter((c) => c.every((r) => r.name !== "_function_declaration_declarator"))
      .filter((c) => c.length > 1 || c[0].name !== "enum_specifier"),
    [$.comma_expression, $.open_return_statement],
    [$.comma_expression, $.open_expression_statement],
    [$.comma_expression, $._initializer_item],
    [$.comma_expression, $.initializer_pair],
    [$.compound_statement, $.initializer_list],
    [$._field_declarator, $.bitfield_macro],
  ],

  rules: {
    // ---------------------------------------------------------------- Preprocessor

    // #include, #define and the rest: C's rules with the scanner's tokens, so that it knows where they fit.
    preproc_include: ($) =>
      seq(
        alias($._pp_include, "#include"),
        field(
          "path",
          choice(
            $.string_literal,
            $.system_lib_string,
            $.identifier,
            alias($.preproc_call_expression, $.call_expression),
          ),
        ),
        $._pp_newline,
      ),

    // A directive in the middle of something: it is kept, and parsing goes on as if it were white space.
    preproc_line: ($) => choice(seq($._pp_flat_if, $._pp_flat_rest), $._pp_flat_line),

    preproc_def: ($) =>
      seq(
        alias($._pp_define, "#define"),
        field("name", $.identifier),
        field("value", repeat($.preproc_arg)),
        $._pp_newline,
      ),

    preproc_function_def: ($) =>
      seq(
        alias($._pp_define, "#define"),
        field("name", $.identifier),
        field("parameters", $.preproc_params),
        field("value", repeat($.preproc_arg)),
        $._pp_newline,
      ),

    // (a, b, ...) and GNU's (fmt, args...)
    preproc_params: ($) =>
      seq(
        alias($._pp_params_start, "("),
        commaSep(choice($.identifier, "...", seq($.identifier, "..."))),
        ")",
      ),

    preproc_call: ($) =>
      seq(field("directive", $.preproc_directive), field("argument", repeat($.preproc_arg)), $._pp_newline),

    // #if defined(X) ? X == 1 : defined(Y)
    _preproc_expression: ($, original) =>
      choice(original, alias($.preproc_conditional_expression, $.conditional_expression)),
    preproc_conditional_expression: ($) =>
      prec.right(
        PREC.CONDITIONAL,
        seq(
          field("condition", $._preproc_expression),
          "?",
          field("consequence", $._preproc_expression),
          ":",
          field("alternative", $._preproc_expression),
        ),
      ),

    preproc_argument_list: ($) =>
      seq("(", commaSep(choice($._preproc_expression, $.string_literal, $.system_lib_string)), ")"),

    ...preprocIf("", "", ($) => $._block_item),
    ...preprocIf("_in_field_declaration_list", "", ($) => $._field_declaration_list_item),
    ...preprocIf("_in_enumerator_list", "_list", ($) =>
      choice(
        seq($._enumerator_item, ","),
        $.macro_element,
        alias($.preproc_if_in_enumerator_list, $.preproc_if),
        alias($.preproc_ifdef_in_enumerator_list, $.preproc_ifdef),
      ),
    ),
    ...preprocIf("_in_initializer_list", "_list", ($) =>
      choice(seq($._initializer_item, ","), $._initializer_directive, $.macro_element),
    ),

    // ---------------------------------------------------------------- Annotations
    // __init, __user, __must_hold(&lock), ____cacheline_aligned, STATIC: a name, or a name with arguments.

    _annotation_before_type: ($) =>
      choice(
        field("name", alias($._annotation_before, $.identifier)),
        seq(
          field("name", alias($._annotation_call_before, $.identifier)),
          field("arguments", $.argument_list),
        ),
      ),
    _annotation_after_type: ($) =>
      choice(
        field("name", alias($._annotation_after, $.identifier)),
        seq(
          field("name", alias($._annotation_call_after, $.identifier)),
          field("arguments", $.argument_list),
        ),
      ),
    _annotation_behind_declarator: ($) =>
      choice(
        field("name", alias($._annotation_behind, $.identifier)),
        seq(
          field("name", alias($._annotation_call_behind, $.identifier)),
          field("arguments", $.argument_list),
        ),
      ),
    _annotation_of_label: ($) => field("name", alias($._annotation_label, $.identifier)),
    _annotation_of_tag: ($) =>
      choice(
        field("name", alias($._annotation_tag, $.identifier)),
        seq(field("name", alias($._annotation_call_tag, $.identifier)), field("arguments", $.argument_list)),
      ),

    _before: ($) => alias($._annotation_before_type, $.annotation),
    _after: ($) => alias($._annotation_after_type, $.annotation),
    _behind: ($) => choice($.attribute_specifier, alias($._annotation_behind_declarator, $.annotation)),

    _modifiers: ($) => repeat1(choice($._declaration_modifiers, $._before)),

    _declaration_specifiers: ($) =>
      prec.right(
        seq(
          optional($._modifiers),
          field("type", $.type_specifier),
          repeat(choice($._declaration_modifiers, $._after)),
        ),
      ),

    _type_definition_type: ($) =>
      seq(
        repeat(choice($.type_qualifier, $._before, $.attribute_specifier)),
        field("type", $.type_specifier),
        repeat(choice($.type_qualifier, $._after, $.attribute_specifier)),
      ),

    type_descriptor: ($) =>
      seq(
        repeat(choice($.type_qualifier, $._before)),
        field("type", $.type_specifier),
        repeat(choice($.type_qualifier, $._after)),
        field("declarator", optional($._abstract_declarator)),
      ),

    _declaration_modifiers: (_, original) => without(original, MICROSOFT),
    function_definition: ($) =>
      seq($._declaration_specifiers, field("declarator", $._declarator), field("body", $.compound_statement)),
    _old_style_function_definition: ($) =>
      seq(
        $._declaration_specifiers,
        field("declarator", alias($._old_style_function_declarator, $.function_declarator)),
        repeat1($.declaration),
        field("body", $.compound_statement),
      ),
    // int (__rcu *handler)(void)
    parenthesized_declarator: ($) => parenthesized($, $._declarator, $.pointer_declarator),
    parenthesized_field_declarator: ($) =>
      parenthesized($, $._field_declarator, alias($.pointer_field_declarator, $.pointer_declarator)),
    parenthesized_type_declarator: ($) =>
      parenthesized($, $._type_declarator, alias($.pointer_type_declarator, $.pointer_declarator)),
    abstract_parenthesized_declarator: ($) => prec(1, seq("(", $._abstract_declarator, ")")),

    // `(f(x)) - 1` is no cast to a function.
    abstract_function_declarator: ($) =>
      prec.dynamic(
        -2,
        prec(
          1,
          seq(field("declarator", optional($._abstract_declarator)), field("parameters", $.parameter_list)),
        ),
      ),

    ...pointerDeclarators(),

    // `int f(void) __releases(lock)`, in definitions, declarations, struct members and typedefs.
    function_declarator: ($) =>
      prec.right(
        1,
        seq(
          field("declarator", $._declarator),
          field("parameters", $.parameter_list),
          optional($.gnu_asm_expression),
          optional($._function_tail),
        ),
      ),
    function_field_declarator: ($) =>
      prec.right(
        1,
        seq(
          field("declarator", $._field_declarator),
          field("parameters", $.parameter_list),
          optional($._function_tail),
        ),
      ),
    function_type_declarator: ($) =>
      prec.right(
        1,
        seq(
          field("declarator", $._type_declarator),
          field("parameters", $.parameter_list),
          optional($._function_tail),
        ),
      ),

    _function_tail: ($) => prec.right(1, seq($._behind, optional($._function_tail))),

    declaration: ($) => choice($._typed_declaration, $._auto_declaration),
    // const auto n = f(x);
    _auto_declaration: ($) => seq($._modifiers, alias($.auto_declarator, $.init_declarator), ";"),
    auto_declarator: ($) =>
      seq(field("declarator", $.identifier), "=", field("value", choice($.initializer_list, $.expression))),
    _typed_declaration: ($) =>
      seq(
        $._declaration_specifiers,
        commaSep1(
          seq(
            repeat(choice($.attribute_specifier, $._after)),
            field(
              "declarator",
              choice(
                seq($._declarator, optional($.gnu_asm_expression), repeat($._behind)),
                $.init_declarator,
              ),
            ),
          ),
        ),
        ";",
      ),

    init_declarator: ($) =>
      seq(
        field("declarator", $._declarator),
        optional($.gnu_asm_expression),
        repeat($._behind),
        "=",
        field("value", choice($.initializer_list, $.expression)),
      ),

    type_definition: ($) =>
      seq(
        optional("__extension__"),
        "typedef",
        choice(
          seq($._type_definition_type, $._type_definition_declarators, repeat($._behind)),
          field("type", alias($.declaring_macro, $.type_macro)),
        ),
        ";",
      ),

    // typedef DECLARE_BITMAP(name, n);
    declaring_macro: ($) =>
      seq(field("name", alias($._macro_declaration_name, $.identifier)), field("arguments", $.argument_list)),

    _type_definition_declarators: ($) =>
      seq(
        field("declarator", $._type_declarator),
        repeat(seq(",", repeat($._after), field("declarator", $._type_declarator))),
      ),

    field_declaration: ($) => seq($._declaration_specifiers, optional($._field_declaration_declarator), ";"),
    _field_declaration_declarator: ($) =>
      commaSep1(
        choice(
          seq(
            field("declarator", $._field_declarator),
            repeat($._behind),
            optional(seq($.bitfield_clause, repeat($._behind))),
          ),
          $.bitfield_clause,
          field("declarator", $.bitfield_macro),
        ),
      ),
    // u8 X(X(a:6, b:1), c:1); the macro puts bit-fields in the order of the machine
    bitfield_macro: ($) =>
      seq(
        field("name", $._field_identifier),
        "(",
        commaSep1(
          choice(
            field("declarator", $.bitfield_macro),
            seq(field("declarator", $._field_identifier), $.bitfield_clause),
          ),
        ),
        ")",
      ),

    parameter_declaration: ($) =>
      seq(
        $._declaration_specifiers,
        optional(field("declarator", choice($._declarator, $._abstract_declarator))),
        repeat($._behind),
      ),

    struct_specifier: ($) => aggregate($, "struct"),
    union_specifier: ($) => aggregate($, "union"),

    enum_specifier: ($) =>
      prec.right(
        seq(
          "enum",
          repeat(choice($.attribute_specifier, alias($._annotation_of_tag, $.annotation))),
          choice(
            seq(
              field("name", $._type_identifier),
              optional(
                seq(
                  ":",
                  field(
                    "underlying_type",
                    choice($.primitive_type, $.sized_type_specifier, $._type_identifier),
                  ),
                ),
              ),
              field("body", optional($.enumerator_list)),
            ),
            field("body", $.enumerator_list),
          ),
          optional($.attribute_specifier),
        ),
      ),

    // ---------------------------------------------------------------- Types

    type_specifier: ($, original) => choice(original, $.typeof_specifier, $.type_macro),

    typeof_specifier: ($) =>
      choice(
        seq(
          choice("typeof", "__typeof__", "__typeof", "typeof_unqual", "__typeof_unqual__"),
          "(",
          choice($.expression, $.type_descriptor, $.comma_expression),
          ")",
        ),
        "__auto_type",
      ),

    // struct foo { … } __packed;
    _empty_declaration: ($, original) =>
      choice(
        original,
        seq($.type_specifier, repeat1(choice($._declaration_modifiers, $._after)), ";"),
        seq($._modifiers, $.type_specifier, repeat(choice($._declaration_modifiers, $._after)), ";"),
      ),

    // A macro that stands for a type: STACK_OF(X509) *chain
    type_macro: ($) =>
      seq(field("name", alias($._type_macro, $.identifier)), field("arguments", $.argument_list)),

    // ---------------------------------------------------------------- Items made by macros

    _top_level_item: ($, original) =>
      choice(original, ...macroItems($), $.machine_definition, $.initializer_fragment),
    _block_item: ($, original) => choice(original, ...macroItems($), $.machine_definition),

    // SYSCALL_DEFINE3(open, …) { … }, BPF_CALL_2(…) { … }
    macro_function_definition: ($) =>
      seq(
        optional($._modifiers),
        field("name", alias($._macro_function_name, $.identifier)),
        field("arguments", $.argument_list),
        repeat($._behind),
        field("body", $.compound_statement),
      ),

    // static DEFINE_MUTEX(lock); DEFINE_PER_CPU(int, n) = 1; DECLARE_WORK(…); and, with all of a function in the
    // macro, static DEF_SCSI_QCMD(queuecommand)
    macro_declaration: ($) =>
      choice(
        $._macro_declaration,
        seq(
          $._modifiers,
          field("name", alias($._macro_bare_name, $.identifier)),
          field("arguments", $.argument_list),
        ),
      ),
    _macro_declaration: ($) =>
      seq(
        optional($._modifiers),
        commaSep1(
          seq(
            field("name", alias($._macro_declaration_name, $.identifier)),
            field("arguments", $.argument_list),
            repeat(seq("[", optional($.expression), "]")),
            repeat($._behind),
            optional(
              choice(
                seq("=", field("value", choice($.initializer_list, $.expression))),
                field("value", $.initializer_list),
              ),
            ),
          ),
        ),
        ";",
      ),

    // MACHINE_START(NAME, "title") .field = value, MACHINE_END
    machine_definition: ($) =>
      seq(
        field("name", alias(choice("MACHINE_START", "DT_MACHINE_START"), $.identifier)),
        field("arguments", $.argument_list),
        repeat(choice(seq($.initializer_pair, ","), $._initializer_directive)),
        optional($.initializer_pair),
        "MACHINE_END",
      ),

    // Rows of a table in a file that is included in the midst of it: `{ … },` `UNUSUAL_DEV(…),` `__NR_acct,` `0x10,`
    initializer_fragment: ($) =>
      seq(
        choice(
          alias($.argument_initializer_list, $.initializer_list),
          $.identifier,
          $.number_literal,
          $.string_literal,
          $.call_expression,
        ),
        ",",
      ),

    // A macro call that needs no semicolon, and one that takes the statement after it as its body.
    macro_statement: ($) =>
      choice(
        seq(field("name", alias($._macro_statement_name, $.identifier)), field("arguments", $.argument_list)),
        field("name", alias($._macro_word, $.identifier)),
        seq(
          field("name", alias($._macro_body_name, $.identifier)),
          field("arguments", $.argument_list),
          field("body", $.statement),
        ),
        seq(field("name", alias($._macro_word_body, $.identifier)), field("body", $.compound_statement)),
      ),

    statement: ($, original) =>
      choice(without(original, MICROSOFT), $.macro_statement, $.local_label_declaration),
    _non_case_statement: ($, original) =>
      choice(without(original, MICROSOFT), $.macro_statement, $.local_label_declaration),
    _top_level_statement: ($, original) => choice(original, $.macro_statement),

    // DECLARE_BITMAP(x, n); KABI_RESERVE(1) struct_group(name, int a; int b;);
    _field_declaration_list_item: ($, original) =>
      choice(original, $.macro_field, $.field_group, $.preproc_include, ";", $.static_assert_field),
    macro_field: ($) =>
      prec.right(
        seq(
          choice(
            seq(
              field("name", alias($._macro_field_name, $.identifier)),
              field("arguments", $.argument_list),
              repeat($._behind),
            ),
            field("name", alias($._macro_word, $.identifier)),
          ),
          optional(";"),
        ),
      ),
    static_assert_field: ($) => seq("_Static_assert", $.argument_list, ";"),
    // struct_group(name, int a; int b;): members of the struct, and of a group within it
    field_group: ($) =>
      prec.right(
        seq(
          field("name", alias($._macro_group_name, $.identifier)),
          "(",
          repeat1(
            seq(
              optional(
                choice($.identifier, $.attribute_specifier, alias($._annotation_of_tag, $.annotation)),
              ),
              ",",
            ),
          ),
          field("body", alias($.field_group_members, $.field_declaration_list)),
          ")",
          optional(";"),
        ),
      ),
    field_group_members: ($) => repeat1($._field_declaration_list_item),

    // ---------------------------------------------------------------- Statements

    // A label may end its block, and be annotated: `out: __maybe_unused`
    labeled_statement: ($) =>
      prec.right(
        seq(
          field("label", $._statement_identifier),
          ":",
          optional(alias($._annotation_of_label, $.annotation)),
          optional(choice($.declaration, $.statement, seq($.attribute_specifier, ";"))),
        ),
      ),

    // case 1 ... 5:
    case_statement: ($) =>
      prec.right(
        seq(
          choice(
            seq("case", field("value", $.expression), optional(seq("...", field("end", $.expression)))),
            "default",
          ),
          ":",
          repeat(choice($._non_case_statement, $.declaration, $.type_definition, $.macro_declaration)),
        ),
      ),

    // do { … } while_each_thread(g, t);
    do_statement: ($, original) =>
      choice(
        original,
        seq(
          "do",
          field("body", $.statement),
          field("condition", alias($.macro_call, $.call_expression)),
          ";",
        ),
      ),

    // if time_after(a, b) …
    if_statement: ($, original) =>
      choice(
        original,
        prec.right(
          seq(
            "if",
            field("condition", alias($.macro_call, $.call_expression)),
            field("consequence", $.statement),
            optional(field("alternative", $.else_clause)),
          ),
        ),
      ),

    // __attribute__((fallthrough));
    attributed_statement: ($, original) => choice(original, prec(-1, seq($.attribute_specifier, ";"))),

    goto_statement: ($, original) =>
      choice(original, seq("goto", field("target", $.pointer_expression), ";")),

    local_label_declaration: ($) => seq("__label__", commaSep1($._statement_identifier), ";"),

    // ---------------------------------------------------------------- Expressions

    _expression_not_binary: ($, original) =>
      choice(original, $.label_address_expression, $.scaled_expression),

    // 16 KB, 5 MINUTES: a number and a macro that multiplies it
    scaled_expression: ($) =>
      prec(PREC.CALL, seq(field("value", $.number_literal), field("unit", $.identifier))),

    // Numbers as the preprocessor sees them, for arguments that are pasted: 64bit, 1k
    number_literal: (_, original) => choice(original, /[0-9][0-9A-Za-z_]*/),

    // &&label
    label_address_expression: ($) => prec(PREC.UNARY, seq("&&", field("label", $._statement_identifier))),

    // offsetof(struct s, a.b[1])
    offsetof_expression: ($) =>
      prec(
        PREC.OFFSETOF,
        seq(
          choice("offsetof", "__builtin_offsetof"),
          "(",
          field("type", $.type_descriptor),
          ",",
          field("member", $._member_designator),
          ")",
        ),
      ),
    alignof_expression: ($) =>
      prec(
        PREC.SIZEOF,
        seq(
          choice("__alignof__", "__alignof", "_alignof", "alignof", "_Alignof"),
          choice(field("value", $.expression), seq("(", field("type", $.type_descriptor), ")")),
        ),
      ),

    _member_designator: ($) =>
      choice(
        $._field_identifier,
        alias($.member_field_designator, $.field_expression),
        alias($.member_subscript_designator, $.subscript_expression),
      ),
    member_field_designator: ($) =>
      seq(
        field("argument", $._member_designator),
        field("operator", choice(".", "->")),
        field("field", $._field_identifier),
      ),
    member_subscript_designator: ($) =>
      seq(field("argument", $._member_designator), "[", field("index", $.expression), "]"),

    // Macros take more than expressions: types, declarations, operators, statements, initialisers, nothing.
    argument_list: ($) => seq("(", optional($._argument), repeat(seq(",", optional($._argument))), ")"),
    _argument: ($) =>
      choice(
        $.expression,
        $.compound_statement,
        alias($.argument_initializer_list, $.initializer_list),
        alias($.argument_type, $.type_descriptor),
        alias($.argument_declaration, $.parameter_declaration),
        $.operator_argument,
        $.assignment_argument,
        $.field_designator,
        $.asm_operand_argument,
        $.asm_instruction_argument,
        $.range_argument,
        seq($.identifier, repeat1($.attribute_specifier)),
        // BINF.2, to be pasted
        seq($.identifier, alias(token.immediate(/\.[0-9]+/), $.number_literal)),
        alias($.argument_pair, $.initializer_pair),
        "struct",
        "union",
        "enum",
        $._statement_argument,
        $._open_statement,
        $._modifiers,
        "...",
      ),
    argument_initializer_list: ($) =>
      seq("{", choice($._argument_elements, seq(optional($._argument_elements), $._initializer_item)), "}"),
    _argument_elements: ($) => repeat1(choice(seq($._initializer_item, ","), $.macro_element)),
    _argument_specifiers: ($) =>
      prec.right(
        seq(
          optional($._modifiers),
          field(
            "type",
            choice(
              $.struct_specifier,
              $.union_specifier,
              $.enum_specifier,
              $.typeof_specifier,
              $.sized_type_specifier,
              $.primitive_type,
              alias($._type_word, $.type_identifier),
              $.type_macro,
            ),
          ),
          repeat(choice($._declaration_modifiers, $._after)),
        ),
      ),
    argument_type: ($) =>
      seq(
        $._argument_specifiers,
        choice(field("declarator", optional($._abstract_declarator)), $.bitfield_clause),
      ),
    argument_declaration: ($) =>
      seq(
        $._argument_specifiers,
        field("declarator", $._declarator),
        repeat($._behind),
        optional($.bitfield_clause),
      ),
    _statement_argument: ($) =>
      seq(
        repeat1(
          choice(
            $._non_expression_statement,
            alias($.argument_statement, $.expression_statement),
            alias($.argument_variable, $.declaration),
          ),
        ),
        optional(choice($.expression, $._open_statement)),
      ),
    // The last statement of an argument has no semicolon: D1(if (debug) dump(x))
    _open_statement: ($) =>
      choice(
        alias($.open_if_statement, $.if_statement),
        alias($.open_return_statement, $.return_statement),
        alias("break", $.break_statement),
        alias("continue", $.continue_statement),
        alias($.open_goto_statement, $.goto_statement),
      ),
    open_if_statement: ($) =>
      seq(
        "if",
        field("condition", $.parenthesized_expression),
        field(
          "consequence",
          choice(alias($.open_expression_statement, $.expression_statement), $._open_statement),
        ),
      ),
    open_expression_statement: ($) => $.expression,
    open_return_statement: ($) => seq("return", optional($.expression)),
    open_goto_statement: ($) => seq("goto", field("label", $._statement_identifier)),
    argument_statement: ($) => seq(optional($.expression), ";"),
    argument_variable: ($) =>
      seq($._argument_specifiers, field("declarator", choice($._declarator, $.init_declarator)), ";"),
    _non_expression_statement: ($) =>
      choice(
        $.macro_statement,
        $.if_statement,
        $.switch_statement,
        $.do_statement,
        $.while_statement,
        $.for_statement,
        $.return_statement,
        $.break_statement,
        $.continue_statement,
        $.goto_statement,
      ),
    // BIT_FUNC(mkclean, &= ~DIRTY)
    assignment_argument: ($) =>
      seq(field("operator", choice("=", "+=", "-=", "|=", "&=", "^=")), field("right", $.expression)),
    // LOAD(%0, %1) within an asm template
    asm_operand_argument: (_) => /%[a-zA-Z]?([0-9]+|\[[a-zA-Z0-9_]+\])/,
    // fxsave %[fx]
    asm_instruction_argument: ($) =>
      seq(
        $.identifier,
        alias(/%\[[a-zA-Z0-9_]+\]/, $.asm_operand_argument),
        optional(seq(";", $.identifier)),
      ),
    // GETBITSTR(x, 10:10), build_mmio_read(readb, "b", :"memory")
    range_argument: ($) => seq(optional($.expression), ":", $.expression),
    argument_pair: ($) =>
      choice(
        seq(
          field(
            "designator",
            repeat1(choice($.subscript_designator, $.field_designator, $.subscript_range_designator)),
          ),
          "=",
          field("value", choice($.expression, $.initializer_list)),
        ),
        // [p] "=a" (p)
        seq(field("designator", $.subscript_designator), field("value", $.expression)),
      ),
    operator_argument: (_) =>
      choice(
        "+",
        "-",
        "*",
        "/",
        "%",
        "|",
        "&",
        "^",
        "<<",
        ">>",
        "<",
        ">",
        "<=",
        ">=",
        "==",
        "!=",
        "&&",
        "||",
        "!",
        "~",
        "=",
        "+=",
        "-=",
        "*=",
        "/=",
        "%=",
        "|=",
        "&=",
        "^=",
        "<<=",
        ">>=",
        "++",
        "--",
        "->",
        ".",
      ),

    // "a" PRIu64 __stringify(b) "c": the pieces of a string may be macros.
    concatenated_string: ($) =>
      prec.right(
        seq(
          choice(
            seq($._string_pieces, $.string_literal),
            seq($.string_literal, $._string_rest),
            // KERN_ERR pr_fmt("…")
            seq(alias($._string_word, $.identifier), alias($.string_call_behind, $.call_expression)),
          ),
          repeat($._string_rest),
        ),
      ),
    _string_pieces: ($) => prec.right(repeat1($._string_piece)),
    _string_piece: ($) =>
      choice(alias($._string_word, $.identifier), alias($.string_call, $.call_expression)),
    _string_rest: ($) =>
      choice(
        $.string_literal,
        $.identifier,
        alias($._string_word, $.identifier),
        alias($.string_call_behind, $.call_expression),
      ),
    string_call: ($) =>
      seq(field("function", alias($._string_call, $.identifier)), field("arguments", $.argument_list)),
    string_call_behind: ($) =>
      seq(field("function", alias($._string_call_behind, $.identifier)), field("arguments", $.argument_list)),

    // C's rule, with a token that is never found: by it the scanner knows that a '#' here is only a character.
    string_literal: ($) =>
      seq(
        choice('L"', 'u"', 'U"', 'u8"', '"'),
        repeat(
          choice(
            alias(token.immediate(prec(1, /[^\\"\n]+/)), $.string_content),
            $.escape_sequence,
            $._in_string,
          ),
        ),
        '"',
      ),

    // ---------------------------------------------------------------- Initialisers and enumerators

    initializer_list: ($) =>
      seq(
        "{",
        repeat(choice(seq($._initializer_item, ","), $._initializer_directive, $.macro_element)),
        optional($._initializer_item),
        "}",
      ),
    _initializer_item: ($) => choice($.initializer_pair, $.expression, $.initializer_list),
    // Beside C's: ROW(1) = { … }, and GNU's older [1] "text"
    initializer_pair: ($, original) =>
      choice(
        original,
        seq(field("designator", $.call_expression), "=", field("value", $.initializer_list)),
        seq(
          field("designator", $.subscript_designator),
          field("value", choice($.expression, $.initializer_list)),
        ),
      ),
    _initializer_directive: ($) =>
      choice(
        alias($.preproc_if_in_initializer_list, $.preproc_if),
        alias($.preproc_ifdef_in_initializer_list, $.preproc_ifdef),
      ),
    // A macro that brings its own comma.
    macro_element: ($) =>
      prec.right(
        seq(
          field("name", alias($._macro_element_name, $.identifier)),
          optional(field("arguments", $.argument_list)),
        ),
      ),

    enumerator_list: ($) =>
      seq(
        "{",
        repeat(
          choice(
            seq($._enumerator_item, ","),
            alias($.preproc_if_in_enumerator_list, $.preproc_if),
            alias($.preproc_ifdef_in_enumerator_list, $.preproc_ifdef),
            seq($.preproc_call, optional(",")),
            $.macro_element,
          ),
        ),
        optional($._enumerator_item),
        "}",
      ),
    _enumerator_item: ($) => choice($.enumerator, $.macro_enumerator),
    // ENUMERATOR(name, value)
    macro_enumerator: ($) =>
      seq(
        field("name", $.identifier),
        field("arguments", $.argument_list),
        optional(seq("=", field("value", $.expression))),
      ),

    // ---------------------------------------------------------------- Inline assembler

    gnu_asm_expression: ($) =>
      prec(
        PREC.CALL,
        seq(
          choice("asm", "__asm__", "__asm", "asm_inline"),
          repeat($.gnu_asm_qualifier),
          "(",
          field("assembly_code", $._asm_template),
          optional(
            seq(
              field("output_operands", $.gnu_asm_output_operand_list),
              optional(
                seq(
                  field("input_operands", $.gnu_asm_input_operand_list),
                  optional(
                    seq(
                      field("clobbers", $.gnu_asm_clobber_list),
                      optional(field("goto_labels", $.gnu_asm_goto_list)),
                    ),
                  ),
                ),
              ),
            ),
          ),
          ")",
        ),
      ),
    gnu_asm_qualifier: (_, original) => choice(original, "__volatile", "__inline", "__inline__"),
    _asm_template: ($) =>
      choice(
        $._string,
        $.identifier,
        alias($.macro_call, $.call_expression),
        alias($.asm_macros, $.concatenated_string),
      ),
    // ENTER(1) STORE(%0, x) LEAVE(2), TENFOLD TENFOLD
    asm_macros: ($) => seq($._string_pieces, choice(alias($.macro_call, $.call_expression), $.identifier)),
    macro_call: ($) => seq(field("function", $.identifier), field("arguments", $.argument_list)),
    gnu_asm_output_operand: ($) => asmOperand($),
    gnu_asm_input_operand: ($) => asmOperand($),
    gnu_asm_clobber_list: ($) =>
      seq(
        ":",
        commaSep(field("register", choice($._string, $.identifier, alias($.macro_call, $.call_expression)))),
      ),
  },
});

/**
 * A choice without some of its alternatives.
 *
 * @param {ChoiceRule} original
 * @param {string[]} names
 */
function without(original, names) {
  return choice(
    ...original.members.filter((member) => !(member.type === "SYMBOL" && names.includes(member.name))),
  );
}

/**
 * (declarator), and (__rcu *declarator)
 *
 * @param {GrammarSymbols<string>} $
 * @param {Rule} declarator
 * @param {Rule} pointer
 */
function parenthesized($, declarator, pointer) {
  return prec.dynamic(C.PREC.PAREN_DECLARATOR, seq("(", choice(declarator, seq($._before, pointer)), ")"));
}

/**
 * The operand of an asm statement: [name] "constraint" (value), or a macro that makes one.
 *
 * @param {GrammarSymbols<string>} $
 */
function asmOperand($) {
  return choice(
    seq(
      choice(
        seq("[", field("symbol", $.identifier), "]", field("constraint", choice($._string, $.identifier))),
        field("constraint", $._string),
      ),
      "(",
      field("value", choice($.expression, $.comma_expression)),
      ")",
      // a macro that makes more operands and brings its comma
      optional($.identifier),
    ),
    // "r" cpu_to_le32(x): the macro brings the parentheses
    seq(
      optional(seq("[", field("symbol", $.identifier), "]")),
      field("constraint", $.string_literal),
      field("value", alias($.string_call_behind, $.call_expression)),
    ),
    $.identifier,
    // CC_OUT(c) (carry)
    seq(
      alias($.macro_call, $.call_expression),
      optional(seq("(", field("value", choice($.expression, $.comma_expression)), ")")),
    ),
  );
}

/**
 * Items that only macros make, wherever declarations may stand.
 *
 * @param {GrammarSymbols<string>} $
 */
function macroItems($) {
  return [$.macro_function_definition, $.macro_declaration];
}

/**
 * struct or union: `struct __packed foo { … } __aligned(8)`
 *
 * @param {GrammarSymbols<string>} $
 * @param {string} keyword
 */
function aggregate($, keyword) {
  return prec.right(
    seq(
      keyword,
      repeat(choice($.attribute_specifier, alias($._annotation_of_tag, $.annotation))),
      choice(
        seq(field("name", choice($._type_identifier)), field("body", optional($.field_declaration_list))),
        field("body", $.field_declaration_list),
      ),
      optional($.attribute_specifier),
    ),
  );
}

/**
 * C's four pointer declarators, with annotations among the qualifiers: `char __user * __rcu *p`
 */
function pointerDeclarators() {
  /** @type {(declarator: (_: any) => any) => (_: any) => any} */
  const pointer = (declarator) => ($) =>
    prec.dynamic(
      1,
      prec.right(
        seq(
          "*",
          repeat(choice($.type_qualifier, $._after, $.attribute_specifier)),
          field("declarator", declarator($)),
        ),
      ),
    );
  return {
    pointer_declarator: pointer(($) => $._declarator),
    pointer_field_declarator: pointer(($) => $._field_declarator),
    pointer_type_declarator: pointer(($) => $._type_declarator),
    abstract_pointer_declarator: ($) =>
      prec.dynamic(
        1,
        prec.right(
          seq(
            "*",
            repeat(choice($.type_qualifier, $._after, $.attribute_specifier)),
            field("declarator", optional($._abstract_declarator)),
          ),
        ),
      ),
  };
}

/**
 * C's conditionals with the scanner's tokens: `tokens` is '' for items and '_list' for list elements.
 *
 * @param {string} suffix
 * @param {string} tokens
 * @param {(_: any) => any} content
 * @param {number} precedence
 */
function preprocIf(suffix, tokens, content, precedence = 0) {
  /** @param {GrammarSymbols<string>} $ */
  const alternative = ($) =>
    choice(
      suffix ? alias($[`preproc_else${suffix}`], $.preproc_else) : $.preproc_else,
      suffix ? alias($[`preproc_elif${suffix}`], $.preproc_elif) : $.preproc_elif,
      suffix ? alias($[`preproc_elifdef${suffix}`], $.preproc_elifdef) : $.preproc_elifdef,
    );

  return {
    [`preproc_if${suffix}`]: ($) =>
      prec(
        precedence,
        seq(
          alias($[`_pp_if${tokens}`], "#if"),
          field("condition", $._preproc_expression),
          alias($._pp_newline, "\n"),
          repeat(content($)),
          field("alternative", optional(alternative($))),
          alias($._pp_endif, "#endif"),
        ),
      ),

    [`preproc_ifdef${suffix}`]: ($) =>
      prec(
        precedence,
        seq(
          choice(alias($[`_pp_ifdef${tokens}`], "#ifdef"), alias($[`_pp_ifndef${tokens}`], "#ifndef")),
          field("name", $.identifier),
          repeat(content($)),
          field("alternative", optional(alternative($))),
          alias($._pp_endif, "#endif"),
        ),
      ),

    [`preproc_else${suffix}`]: ($) => prec(precedence, seq(alias($._pp_else, "#else"), repeat(content($)))),

    [`preproc_elif${suffix}`]: ($) =>
      prec(
        precedence,
        seq(
          alias($._pp_elif, "#elif"),
          field("condition", $._preproc_expression),
          alias($._pp_newline, "\n"),
          repeat(content($)),
          field("alternative", optional(alternative($))),
        ),
      ),

    [`preproc_elifdef${suffix}`]: ($) =>
      prec(
        precedence,
        seq(
          choice(alias($._pp_elifdef, "#elifdef"), alias($._pp_elifndef, "#elifndef")),
          field("name", $.identifier),
          repeat(content($)),
          field("alternative", optional(alternative($))),
        ),
      ),
  };
}
