// Tells apart what looks alike in kernel C: which conditional encloses whole items and which cuts through
// them; which name is an annotation, a loop, a declaration or a function made by a macro. Each decision reads
// a name and looks at what follows it, within bounds, and is made once for a place: the parser then needs no
// guessing of its own. Only <stdint.h>-like headers are used, so that the same file compiles to WASM.

#include "tree_sitter/alloc.h"
#include "tree_sitter/parser.h"

#include <string.h>

// In the order of `externals` in grammar.js.
enum TokenType {
  PP_IF, PP_IFDEF, PP_IFNDEF,
  PP_IF_LIST, PP_IFDEF_LIST, PP_IFNDEF_LIST,
  PP_ELSE, PP_ELIF, PP_ELIFDEF, PP_ELIFNDEF, PP_ENDIF,
  PP_INCLUDE, PP_DEFINE, PP_DIRECTIVE,
  PP_FLAT_IF, PP_FLAT_REST, PP_FLAT_LINE, PP_SKIPPED,
  PP_ARG, PP_PARAMS_START, PP_NEWLINE,
  ANNOTATION_BEFORE, ANNOTATION_CALL_BEFORE,
  ANNOTATION_AFTER, ANNOTATION_CALL_AFTER,
  ANNOTATION_BEHIND, ANNOTATION_CALL_BEHIND,
  ANNOTATION_TAG, ANNOTATION_CALL_TAG,
  ANNOTATION_LABEL,
  MACRO_STATEMENT, MACRO_BODY, MACRO_WORD, MACRO_WORD_BODY,
  MACRO_FUNCTION, MACRO_DECLARATION, MACRO_BARE, MACRO_FIELD, MACRO_GROUP, MACRO_ELEMENT,
  TYPE_WORD, TYPE_MACRO,
  STRING_WORD, STRING_CALL, STRING_CALL_BEHIND, IN_STRING,
  ERROR_SENTINEL,
};

// ------------------------------------------------------------------------------------------------ State

// How an open conditional is being read.
enum Mode {
  WHOLE,      // its branches are whole items: #else and #endif are part of the tree
  FIRST,      // it cuts through something: the first branch is read, the others are skipped
  SKIP,       // its first branch is about to be skipped (#if 0, __ASSEMBLY__, __cplusplus)
  LATER,      // its first branch was skipped, the next one is read
  SKIP_ELSE,  // whole, but what follows #else is not C (#ifndef __ASSEMBLY__)
};

#define MAX_DEPTH 200
// Bounds of looking ahead, so that no input can make it quadratic.
#define MAX_NESTED_IFS 20
#define MAX_NESTED_PARENS 48

typedef struct {
  uint16_t overflow;
  uint8_t depth;
  uint8_t modes[MAX_DEPTH];
} Scanner;

static void push(Scanner *s, enum Mode mode) {
  if (s->depth < MAX_DEPTH) s->modes[s->depth++] = (uint8_t)mode;
  else if (s->overflow < UINT16_MAX) s->overflow++;
}

static void pop(Scanner *s) {
  if (s->overflow) s->overflow--;
  else if (s->depth) s->depth--;
}

// ------------------------------------------------------------------------------------------------ Words

#define WORD_MAX 64

typedef struct {
  char text[WORD_MAX];
  unsigned length;   // of the whole word; text is cut at WORD_MAX - 1
} Word;

enum Class {
  C_NONE = 0,
  C_KEYWORD = 1,          // a word of C with no meaning of its own below
  C_TYPE = 2,             // begins or continues a declaration: int, struct, static
  C_QUALIFIER = 4,        // const, volatile: may also follow a type
  C_CONTROL = 8,          // begins a statement
  C_ANNOTATION = 16,      // known annotation without arguments
  C_ANNOTATION_CALL = 32, // known annotation with arguments
  C_BODY = 64,            // known macro that takes a statement as its body
  C_WORD = 128,           // known macro that stands alone, without arguments
  C_DECLARES = 256,       // known macro that declares
  C_GROUP = 512,          // struct_group and its kin
  C_ATTRIBUTE = 1024,     // __attribute__, asm
  C_STATEMENT = 2048,     // known macro that needs no semicolon
  C_INTEGER = 4096,       // typedef names of the kernel without a telling ending
};

typedef struct {
  const char *word;
  uint16_t class;
} Entry;

// Sorted by strcmp.
static const Entry WORDS[] = {
#include "words.h"
};

static unsigned classify(const Word *w) {
  if (w->length >= WORD_MAX) return C_NONE;
  unsigned low = 0, high = sizeof WORDS / sizeof WORDS[0];
  while (low < high) {
    unsigned middle = (low + high) / 2;
    int order = strcmp(w->text, WORDS[middle].word);
    if (order == 0) return WORDS[middle].class;
    if (order < 0) high = middle;
    else low = middle + 1;
  }
  return C_NONE;
}

#define C_RESERVED (C_KEYWORD | C_TYPE | C_QUALIFIER | C_CONTROL | C_ATTRIBUTE)

static bool starts_with(const char *text, const char *prefix) {
  while (*prefix) if (*text++ != *prefix++) return false;
  return true;
}

static bool ends_with(const Word *w, const char *suffix) {
  unsigned n = 0;
  while (suffix[n]) n++;
  return w->length < WORD_MAX && w->length > n && strcmp(w->text + w->length - n, suffix) == 0;
}

static bool contains(const char *text, const char *part) {
  for (; *text; text++) if (starts_with(text, part)) return true;
  return false;
}

// FOO_BAR2
static bool is_upper(const Word *w) {
  bool letter = false;
  for (const char *p = w->text; *p; p++) {
    if (*p >= 'a' && *p <= 'z') return false;
    if (*p >= 'A' && *p <= 'Z') letter = true;
  }
  return letter && w->length > 1;
}

// SiS300Idle
static bool has_upper(const Word *w) {
  for (const char *p = w->text; *p; p++) if (*p >= 'A' && *p <= 'Z') return true;
  return false;
}

// FOO_BAR_xxx
static bool begins_upper(const Word *w) {
  return w->text[0] >= 'A' && w->text[0] <= 'Z' && ((w->text[1] >= 'A' && w->text[1] <= 'Z') || w->text[1] == '_');
}

// __foo: the look of an annotation, unless it is a type of that look
static bool is_dunder(const Word *w) {
  if (w->text[0] != '_' || w->text[1] != '_') return false;
  if (ends_with(w, "_t")) return false;
  const char *p = w->text + 2;
  if (starts_with(p, "le") || starts_with(p, "be")) p += 2;
  else if (*p == 'u' || *p == 's') p += 1;
  const char *width = p;
  while (*p >= '0' && *p <= '9') p++;
  if (p != width && *p == 0) return false;
  return !starts_with(w->text, "__kernel_") && strcmp(w->text, "__wsum") && strcmp(w->text, "__sum16");
}

static bool looks_annotation(const Word *w, unsigned class) {
  return (class & (C_ANNOTATION | C_ANNOTATION_CALL)) || (!(class & C_RESERVED) && (is_dunder(w) || is_upper(w)));
}

// u32, foo_t, __le16
static bool looks_type(const Word *w, unsigned class) {
  return (class & C_INTEGER) || ends_with(w, "_t") || (w->text[0] == '_' && w->text[1] == '_' && !is_dunder(w));
}

static bool is_loop(const Word *w, unsigned class) {
  return (class & C_BODY) || contains(w->text, "for_each") || contains(w->text, "foreach")
    || contains(w->text, "FOR_EACH") || contains(w->text, "FOREACH");
}

static bool is_declaring(const Word *w, unsigned class) {
  return (class & C_DECLARES) || starts_with(w->text, "DEFINE_") || starts_with(w->text, "DECLARE_")
    || starts_with(w->text, "__DEFINE_") || starts_with(w->text, "__DECLARE_");
}

// ------------------------------------------------------------------------------------------------ Looking ahead

static inline bool is_word_start(int32_t c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
}
static inline bool is_digit(int32_t c) { return c >= '0' && c <= '9'; }
static inline bool is_word_part(int32_t c) { return is_word_start(c) || is_digit(c); }
static inline bool is_blank(int32_t c) { return c == ' ' || c == '\t' || c == '\f' || c == '\v' || c == '\r'; }

static inline void next(TSLexer *lexer) { lexer->advance(lexer, false); }

static void read_word(TSLexer *lexer, Word *w) {
  unsigned n = 0;
  while (is_word_part(lexer->lookahead)) {
    if (n < WORD_MAX - 1) w->text[n] = (char)lexer->lookahead;
    n++;
    next(lexer);
  }
  w->text[n < WORD_MAX ? n : WORD_MAX - 1] = 0;
  w->length = n;
}

// Skips a comment whose '/' is under the head. False if it was only a slash (which is then skipped).
static bool skip_comment(TSLexer *lexer, bool *newline) {
  next(lexer);
  if (lexer->lookahead == '*') {
    next(lexer);
    for (;;) {
      if (lexer->eof(lexer)) return true;
      if (lexer->lookahead == '*') {
        next(lexer);
        if (lexer->lookahead == '/') { next(lexer); return true; }
        continue;
      }
      if (lexer->lookahead == '\n' && newline) *newline = true;
      next(lexer);
    }
  }
  if (lexer->lookahead == '/') {
    while (!lexer->eof(lexer) && lexer->lookahead != '\n') {
      bool escape = lexer->lookahead == '\\';
      next(lexer);
      if (escape && !lexer->eof(lexer)) next(lexer);
    }
    return true;
  }
  return false;
}

// Skips "…" or '…'; ends at the end of the line at the latest.
static void skip_quoted(TSLexer *lexer) {
  int32_t quote = lexer->lookahead;
  next(lexer);
  while (!lexer->eof(lexer) && lexer->lookahead != '\n') {
    int32_t c = lexer->lookahead;
    next(lexer);
    if (c == quote) return;
    if (c == '\\' && !lexer->eof(lexer)) {
      if (lexer->lookahead == '\r') next(lexer);
      next(lexer);
    }
  }
}

// Goes to the end of a directive's line, over continued lines and comments.
static void skip_line(TSLexer *lexer) {
  while (!lexer->eof(lexer) && lexer->lookahead != '\n') {
    if (lexer->lookahead == '\\') {
      next(lexer);
      if (lexer->lookahead == '\r') next(lexer);
      if (!lexer->eof(lexer)) next(lexer);
    } else if (lexer->lookahead == '/') {
      skip_comment(lexer, NULL);
    } else if (lexer->lookahead == '"') {
      skip_quoted(lexer);
    } else {
      next(lexer);
    }
  }
}

enum Directive { D_OTHER, D_IF, D_IFDEF, D_IFNDEF, D_ELSE, D_ELIF, D_ELIFDEF, D_ELIFNDEF, D_ENDIF, D_INCLUDE, D_DEFINE };

// Reads a directive's word; the '#' is under the head.
static enum Directive read_directive(TSLexer *lexer, Word *w) {
  next(lexer);
  while (lexer->lookahead == ' ' || lexer->lookahead == '\t') next(lexer);
  read_word(lexer, w);
  static const struct { const char *word; enum Directive directive; } table[] = {
    {"if", D_IF}, {"ifdef", D_IFDEF}, {"ifndef", D_IFNDEF}, {"else", D_ELSE}, {"elif", D_ELIF},
    {"elifdef", D_ELIFDEF}, {"elifndef", D_ELIFNDEF}, {"endif", D_ENDIF}, {"include", D_INCLUDE}, {"define", D_DEFINE},
  };
  for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++)
    if (strcmp(w->text, table[i].word) == 0) return table[i].directive;
  return D_OTHER;
}

// Skips to the '#' of the #else, #elif or #endif that ends this branch (or, with `to_endif`, of the #endif).
// The head is then behind the directive's word, and `mark` says whether the '#' is to be the token's end.
static enum Directive skip_branch(TSLexer *lexer, bool to_endif, bool mark) {
  unsigned nested = 0;
  bool line_start = true;
  Word w;
  while (!lexer->eof(lexer)) {
    int32_t c = lexer->lookahead;
    if (c == '\n') { line_start = true; next(lexer); continue; }
    if (is_blank(c)) { next(lexer); continue; }
    if (c == '#' && line_start) {
      if (mark && nested == 0) lexer->mark_end(lexer);
      enum Directive d = read_directive(lexer, &w);
      if (d == D_IF || d == D_IFDEF || d == D_IFNDEF) nested++;
      else if (d == D_ENDIF) { if (nested == 0) return d; nested--; }
      else if (nested == 0 && !to_endif && d >= D_ELSE && d <= D_ELIFNDEF) return d;
      skip_line(lexer);
      continue;
    }
    line_start = false;
    if (c == '/') skip_comment(lexer, NULL);
    else if (c == '"') skip_quoted(lexer);
    else next(lexer);
  }
  if (mark) lexer->mark_end(lexer);
  return D_ENDIF;
}

typedef struct {
  bool newline;    // a line ended on the way
  bool directive;  // and a #define, #undef or the like was a line on the way
  unsigned column; // of the head, if so
  int32_t next;    // the character the gap ends at, 0 at the end of the file
} Gap;

// Skips white space, comments and directives; of a conditional on the way the first branch is read.
static Gap skip_gap(TSLexer *lexer) {
  Gap gap = {false, false, 0, 0};
  Word w;
  bool line_start = false;
  for (;;) {
    int32_t c = lexer->lookahead;
    if (lexer->eof(lexer)) return gap;
    if (c == '\n') { gap.newline = line_start = true; gap.column = 0; next(lexer); }
    else if (is_blank(c)) { gap.column++; next(lexer); }
    else if (c == '\\') { next(lexer); }
    else if (c == '#' && line_start) {
      enum Directive d = read_directive(lexer, &w);
      if (d >= D_ELSE && d <= D_ELIFNDEF) skip_branch(lexer, true, false);
      if (d == D_DEFINE || d == D_INCLUDE || d == D_OTHER) gap.directive = true;
      skip_line(lexer);
    } else if (c == '/' && skip_comment(lexer, &gap.newline)) {
      continue;
    } else {
      gap.next = c;
      return gap;
    }
  }
}

// What a matched pair of parentheses held at its start.
typedef struct {
  bool matched;
  bool empty;
  int32_t first;      // first character inside
  unsigned first_class;
  bool has_string;
} Parens;

// Skips ( … ), the '(' under the head.
static Parens skip_parens(TSLexer *lexer) {
  Parens p = {false, true, 0, 0, false};
  unsigned depth = 0;
  Word w;
  bool first = true, line_start = false;
  for (;;) {
    if (lexer->eof(lexer)) return p;
    int32_t c = lexer->lookahead;
    if (c == '(' || c == '{' || c == '[') {
      if (depth > 0 && first) { p.first = c; first = false; p.empty = false; }
      if (++depth > MAX_NESTED_PARENS) return p;
      next(lexer);
      continue;
    }
    if (c == ')' || c == '}' || c == ']') {
      next(lexer);
      if (--depth == 0) { p.matched = c == ')'; return p; }
      continue;
    }
    if (c == '\n') { line_start = true; next(lexer); continue; }
    if (is_blank(c)) { next(lexer); continue; }
    if (c == '#' && line_start) {
      enum Directive d = read_directive(lexer, &w);
      if (d >= D_ELSE && d <= D_ELIFNDEF) skip_branch(lexer, true, false);
      skip_line(lexer);
      continue;
    }
    line_start = false;
    if (c == '/') {
      if (!skip_comment(lexer, NULL)) first = false;
      continue;
    }
    if (first) { p.first = c; p.empty = false; }
    if (c == '"' || c == '\'') { p.has_string = true; skip_quoted(lexer); }
    else if (is_word_start(c)) {
      if (first) { read_word(lexer, &w); p.first_class = classify(&w); }
      else while (is_word_part(lexer->lookahead)) next(lexer);
    } else next(lexer);
    first = false;
  }
}

// ------------------------------------------------------------------------------------------------ Conditionals

typedef struct {
  bool whole;      // every branch holds whole items and nothing around it completes one
  bool code;       // the first branch holds more than directives
  bool first_whole;
  bool prose;      // a number with a word behind it, or many words in a row: no C, but English
  bool calls;      // f(x) and on the next line g(y) within parentheses: no C, but with macros of half an operator
} Branches;

enum Last { L_NONE, L_SEMICOLON, L_BRACE, L_COLON, L_PAREN, L_COMMA, L_WORD, L_ELSE, L_OTHER };

// Reads the conditional whose condition has just been passed and judges its branches. `list`: the items are
// elements of a list, else statements, declarations or members.
static Branches judge_branches(TSLexer *lexer, bool list) {
  Branches result = {true, false, true, false, false};
  bool number = false;
  unsigned run = 0, plain = 0;  // words with only blanks between them, and the plain ones from the third on
  int round = 0, square = 0, curly = 0;
  enum Last last = L_NONE;
  bool first_branch = true, start = true, item_start = true, head_control = false, line_start = true;
  bool bad = false;          // the branch at hand is not whole
  bool brace_end = false, paren_end = false;
  bool line_first = false;   // what comes is the first of its line
  unsigned nested = 0;
  int32_t mark = 0;          // the character before this one, 0 for a word, a number or a string; '=' only where it assigns
  Word w;
  for (;;) {
    bool end = lexer->eof(lexer);
    int32_t c = lexer->lookahead;
    if (end) { result.whole = false; if (first_branch) result.first_whole = false; return result; }
    if (c == '\n') { line_start = true; next(lexer); continue; }
    if (is_blank(c)) { next(lexer); continue; }
    if (c == '#' && line_start) {
      enum Directive d = read_directive(lexer, &w);
      if (d == D_IF || d == D_IFDEF || d == D_IFNDEF) {
        if (++nested > MAX_NESTED_IFS) { result.whole = false; return result; }
      } else if (nested > 0 && d >= D_ELSE && d <= D_ELIFNDEF) {
        // Of a nested conditional the first branch counts.
        skip_branch(lexer, true, false);
        nested--;
      } else if (nested > 0 && d == D_ENDIF) {
        nested--;
      } else if (d >= D_ELSE && d <= D_ENDIF) {
        if (round || square || curly) bad = true;
        if (list) {
          if (last != L_COMMA && last != L_NONE) bad = true;
        } else {
          if (last == L_WORD || last == L_ELSE || last == L_OTHER || last == L_COMMA) bad = true;
          if (last == L_PAREN) { if (head_control) bad = true; paren_end = true; }
          if (last == L_BRACE) brace_end = true;
        }
        if (bad) { result.whole = false; if (first_branch) result.first_whole = false; }
        first_branch = false;
        round = square = curly = 0;
        last = L_NONE;
        start = item_start = true;
        head_control = bad = false;
        if (d == D_ENDIF) {
          if (!result.whole) return result;
          skip_line(lexer);
          c = skip_gap(lexer).next;
          if (c == 0) return result;
          if (list) return result;
          if (is_word_start(c)) {
            read_word(lexer, &w);
            if (strcmp(w.text, "else") == 0) result.whole = false;
          } else if (c == '{') {
            if (paren_end) result.whole = false;
          } else if (brace_end || paren_end) {
            if (c == ';' || c == ',' || c == ')' || c == '=' || c == '.' || c == '[' || c == ']' || c == '?' || c == '|' || c == '&')
              result.whole = false;
          }
          return result;
        }
      }
      skip_line(lexer);
      continue;
    }
    line_first |= line_start;
    line_start = false;
    if (c == '/') {
      if (skip_comment(lexer, NULL)) continue;
      c = '/';
      if (start) bad = true;
      last = L_OTHER;
      start = false;
      continue;
    }
    if (first_branch) result.code = true;
    bool first_of_line = line_first;
    line_first = false;
    if (c == '"' || c == '\'' || is_word_part(c)) mark = 0;
    if (c == '"' || c == '\'') {
      skip_quoted(lexer);
      last = L_OTHER; start = item_start = false;
      continue;
    }
    if (is_digit(c)) {
      while (is_word_part(lexer->lookahead)) next(lexer);
      number = true;
      last = L_OTHER; start = item_start = false;
      continue;
    }
    if (is_word_start(c)) {
      read_word(lexer, &w);
      if (first_branch && first_of_line && last == L_PAREN && round > 0 && lexer->lookahead == '(') result.calls = true;
      if (number && first_branch && w.text[0] >= 'a') result.prose = true;
      number = false;
      if (first_branch && ++run >= 3 && w.text[0] >= 'a' && classify(&w) == C_NONE && ++plain >= 3) result.prose = true;
      bool is_else = strcmp(w.text, "else") == 0;
      if (start && is_else) bad = true;
      if (item_start && round == 0 && square == 0) {
        head_control = is_else || strcmp(w.text, "if") == 0 || strcmp(w.text, "for") == 0 || strcmp(w.text, "while") == 0
          || strcmp(w.text, "switch") == 0 || contains(w.text, "for_each");
      }
      item_start = is_else;
      last = is_else ? L_ELSE : L_WORD;
      start = false;
      continue;
    }
    number = false;
    run = plain = 0;
    next(lexer);
    enum Last now = L_OTHER;
    int32_t before = mark;
    mark = c != '=' || (before == 0 && lexer->lookahead != '=') ? c : '#';
    switch (c) {
      case '(': round++; break;
      case ')': if (--round < 0) bad = true; now = L_PAREN; break;
      case '[': if (start && !list) bad = true; square++; break;
      case ']': if (--square < 0) bad = true; break;
      case '{':
        // elements of an initialiser where a block would stand
        if (start && !list) {
          int32_t element = skip_gap(lexer).next;
          if (element == '[' || element == '.') bad = true;
        }
        curly++;
        break;
      case '}': if (--curly < 0) bad = true; now = L_BRACE; break;
      case ';': now = L_SEMICOLON; if (list && !curly && !round) bad = true; break;
      case ':': now = L_COLON; break;
      case ',': now = L_COMMA; if (start || before == '=') bad = true; break;
      case '.': if (start && !list) bad = true; break;
      case '?': if (start || before == '=' || before == '?') bad = true; break;
      case '=': case '|': case '<': case '>': case '%': case '^': if (start) bad = true; break;
      case '&': if (start && lexer->lookahead == '&') bad = true; break;
      default: break;
    }
    if (list) {
      // Several elements on the level of the list: only its own commas count.
      if (now == L_COMMA && (round || curly || square)) now = L_OTHER;
    }
    start = false;
    item_start = round == 0 && square == 0 && (c == ';' || c == '}' || c == '{' || c == ':');
    last = now;
  }
}

// A branch that is not C: assembler, linker script or C++.
static bool is_other_language(const Word *w) {
  return strcmp(w->text, "__ASSEMBLY__") == 0 || strcmp(w->text, "__ASSEMBLER__") == 0
    || strcmp(w->text, "LINKER_SCRIPT") == 0 || strcmp(w->text, "__LINKER__") == 0;
}

static bool scan_if(Scanner *s, TSLexer *lexer, const bool *valid, enum Directive d) {
  Word name;
  name.text[0] = 0;
  name.length = 0;
  bool zero = false, negated = d == D_IFNDEF;
  lexer->mark_end(lexer);
  while (is_blank(lexer->lookahead)) next(lexer);
  if (d == D_IF) {
    if (lexer->lookahead == '0') {
      next(lexer);
      zero = !is_word_part(lexer->lookahead);
      while (is_blank(lexer->lookahead)) next(lexer);
      if (lexer->lookahead != '\n' && lexer->lookahead != '\r' && lexer->lookahead != '/') zero = false;
    } else {
      if (lexer->lookahead == '!') { negated = true; next(lexer); }
      if (is_word_start(lexer->lookahead)) read_word(lexer, &name);
      if (strcmp(name.text, "defined") == 0) {
        while (is_blank(lexer->lookahead) || lexer->lookahead == '(') next(lexer);
        read_word(lexer, &name);
      } else name.text[0] = 0;
    }
  } else {
    read_word(lexer, &name);
  }
  skip_line(lexer);

  bool items = valid[PP_IF], list = valid[PP_IF_LIST];
  bool other = is_other_language(&name), cplusplus = strcmp(name.text, "__cplusplus") == 0;
  Branches branches = {false, true, false, false, false};
  if (items || list) branches = judge_branches(lexer, list && !items);
  if (items && list && !branches.whole) list = false;
  bool skip_first = ((zero || branches.prose) && !branches.first_whole) || (zero && branches.calls) || (cplusplus && !negated && !branches.whole)
    || (other && !negated && branches.code);
  if (skip_first) {
    push(s, SKIP);
    lexer->result_symbol = PP_FLAT_IF;
    return true;
  }
  if (!branches.whole) {
    push(s, FIRST);
    lexer->result_symbol = PP_FLAT_IF;
    return true;
  }
  push(s, other && negated ? SKIP_ELSE : WHOLE);
  unsigned base = items ? PP_IF : PP_IF_LIST;
  lexer->result_symbol = (TSSymbol)(base + (d == D_IF ? 0 : d == D_IFDEF ? 1 : 2));
  return true;
}

static bool flat_line(TSLexer *lexer) {
  skip_line(lexer);
  lexer->mark_end(lexer);
  lexer->result_symbol = PP_FLAT_LINE;
  return true;
}

// `#endif FOO`: words behind the directive are part of its token.
static void take_trailing_words(TSLexer *lexer) {
  while (is_blank(lexer->lookahead)) next(lexer);
  if (lexer->eof(lexer) || lexer->lookahead == '\n' || lexer->lookahead == '/' || lexer->lookahead == '\\') return;
  skip_line(lexer);
  lexer->mark_end(lexer);
}

static bool scan_directive(Scanner *s, TSLexer *lexer, const bool *valid) {
  Word w;
  // A skipped branch begins at its '#'; nothing of it has been consumed yet.
  enum Directive d = read_directive(lexer, &w);
  lexer->mark_end(lexer);
  enum Mode mode = s->overflow || s->depth == 0 ? FIRST : (enum Mode)s->modes[s->depth - 1];
  bool recovering = valid[ERROR_SENTINEL];
  switch (d) {
    case D_IF: case D_IFDEF: case D_IFNDEF:
      return scan_if(s, lexer, valid, d);

    case D_ELSE: case D_ELIF: case D_ELIFDEF: case D_ELIFNDEF: {
      if (mode == LATER) {
        s->modes[s->depth - 1] = FIRST;
        return flat_line(lexer);
      }
      TSSymbol symbol = (TSSymbol)(PP_ELSE + (d - D_ELSE));
      if (mode == WHOLE && (valid[symbol] || recovering)) {
        if (d == D_ELSE) take_trailing_words(lexer);
        lexer->result_symbol = symbol;
        return true;
      }
      // The branch does not fit in here: it is kept as text.
      skip_line(lexer);
      bool keep_endif = mode == SKIP_ELSE;
      if (s->depth == 0 && !s->overflow) return flat_line(lexer);
      skip_branch(lexer, true, keep_endif);
      if (!keep_endif) {
        skip_line(lexer);
        lexer->mark_end(lexer);
        pop(s);
      }
      lexer->result_symbol = PP_SKIPPED;
      return true;
    }

    case D_ENDIF:
      pop(s);
      if ((mode == WHOLE || mode == SKIP_ELSE) && (valid[PP_ENDIF] || recovering)) {
        take_trailing_words(lexer);
        lexer->result_symbol = PP_ENDIF;
        return true;
      }
      return flat_line(lexer);

    case D_INCLUDE: case D_DEFINE: {
      TSSymbol symbol = d == D_INCLUDE ? PP_INCLUDE : PP_DEFINE;
      if (!valid[symbol] || recovering) return flat_line(lexer);
      lexer->result_symbol = symbol;
      return true;
    }

    default:
      if (w.length == 0) {
        // `# 12` of a preprocessed file, or a directive of no words
        return flat_line(lexer);
      }
      if (!valid[PP_DIRECTIVE] || recovering) return flat_line(lexer);
      lexer->result_symbol = PP_DIRECTIVE;
      return true;
  }
}

// The rest of the line is kept as text; the line's end is not part of it.
static bool skip_text_line(TSLexer *lexer) {
  while (!lexer->eof(lexer) && lexer->lookahead != '\n') next(lexer);
  lexer->mark_end(lexer);
  lexer->result_symbol = PP_SKIPPED;
  return true;
}

// Lines of the assembler in a header, kept as text. Where only an item may stand, these are ones that no C begins with:
// `.set NAME,1`, and the comments `| …` of m68k and `;! …` of PA-RISC.
static bool scan_assembler_comment(TSLexer *lexer) {
  if (lexer->lookahead == ';') {
    next(lexer);
    if (lexer->lookahead != '!') return false;
  }
  return skip_text_line(lexer);
}

// `name: .reg %r2`; the ':' is under the head.
static bool scan_assembler_label(TSLexer *lexer) {
  next(lexer);
  while (is_blank(lexer->lookahead)) next(lexer);
  if (lexer->lookahead != '.') return false;
  next(lexer);
  return is_word_start(lexer->lookahead) && skip_text_line(lexer);
}

// `ld r14,0(r3)`, and all indented lines behind it; the ',' is under the head. No declarator of C begins with a digit.
static bool scan_instructions(TSLexer *lexer) {
  next(lexer);
  while (is_blank(lexer->lookahead)) next(lexer);
  if (!is_digit(lexer->lookahead) && lexer->lookahead != '-') return false;
  do {
    skip_text_line(lexer);
    if (!lexer->eof(lexer)) next(lexer);
  } while (is_blank(lexer->lookahead));
  return true;
}

// A macro of the assembler from `.macro name` to `.endm`, or the end of the file; and other directives of it where an
// item may stand.
static bool scan_assembler(TSLexer *lexer, bool item) {
  Word w;
  next(lexer);
  read_word(lexer, &w);
  if (w.length == 0 || !is_blank(lexer->lookahead)) return false;
  while (is_blank(lexer->lookahead)) next(lexer);
  if (!is_word_start(lexer->lookahead)) return false;
  if (strcmp(w.text, "macro") != 0) return item && skip_text_line(lexer);
  for (bool line_start = false; !lexer->eof(lexer);) {
    int32_t c = lexer->lookahead;
    next(lexer);
    if (c == '\n') line_start = true;
    else if (c == '.' && line_start) {
      read_word(lexer, &w);
      if (strcmp(w.text, "endm") == 0) {
        lexer->mark_end(lexer);
        lexer->result_symbol = PP_SKIPPED;
        return true;
      }
    } else if (!is_blank(c)) line_start = false;
  }
  lexer->mark_end(lexer);
  lexer->result_symbol = PP_SKIPPED;
  return true;
}

// The rest of a directive's line up to a comment: `preproc_arg`.
static bool scan_argument(TSLexer *lexer) {
  bool any = false;
  while (!lexer->eof(lexer) && lexer->lookahead != '\n') {
    int32_t c = lexer->lookahead;
    if (c == '\\') {
      next(lexer);
      if (lexer->lookahead == '\r') next(lexer);
      if (!lexer->eof(lexer)) next(lexer);
    } else if (c == '/') {
      lexer->mark_end(lexer);
      next(lexer);
      if (lexer->lookahead == '*' || (lexer->lookahead == '/' && !any)) break;
    } else if (c == '"') {
      skip_quoted(lexer);
    } else if (c == '\r') {
      lexer->mark_end(lexer);
      next(lexer);
      if (lexer->lookahead == '\n') break;
      continue;
    } else {
      next(lexer);
    }
    any = true;
    lexer->mark_end(lexer);
  }
  lexer->result_symbol = PP_ARG;
  return any;
}

// ------------------------------------------------------------------------------------------------ Names

static bool accept(TSLexer *lexer, enum TokenType type) {
  lexer->result_symbol = (TSSymbol)type;
  return true;
}

// What follows a name, without its arguments.
typedef struct {
  Word word;
  unsigned class;
  int32_t after;       // the character behind that word
} Follower;

static Follower read_follower(TSLexer *lexer) {
  Follower f;
  read_word(lexer, &f.word);
  f.class = classify(&f.word);
  f.after = skip_gap(lexer).next;
  return f;
}

// `a b(x) c "…"`: the words from here on are pieces of a string. The head is on the first character after a word.
// Calls in a row that lead to a ':' are the template of an asm statement, and so are names in capitals. `first` is the
// first word that was read, for there is no way back to it; its word is empty if there was none.
static bool ends_in_string(TSLexer *lexer, int32_t c, Follower *first) {
  first->word.text[0] = 0;
  first->word.length = 0;
  first->class = 0;
  first->after = 0;
  bool upper = true;
  for (unsigned i = 0; i < 16; i++) {
    if (c == '"') return true;
    if (c == ':') return upper && i > 0;
    if (c == '(') {
      Parens p = skip_parens(lexer);
      if (!p.matched) return false;
      if (p.first == '"') return true;
      c = skip_gap(lexer).next;
      if (c == '"' || c == ':') return true;
    }
    if (!is_word_start(c)) return false;
    Follower f = read_follower(lexer);
    if (i == 0) *first = f;
    if (!is_upper(&f.word)) upper = false;
    c = f.after;
  }
  return false;
}

// Names without a semicolon, and then TRACE_EVENT(: `f` is one of the names.
static bool leads_to_known_macro(TSLexer *lexer, Follower f) {
  for (unsigned i = 0; i < 16 && f.class == C_NONE && is_word_start(f.after); i++) {
    f = read_follower(lexer);
    if ((f.class & C_STATEMENT) && f.after == '(') return true;
  }
  return false;
}

// `__acquires(a) __releases(b) {`: the head is on the first character behind the first annotation's name.
static bool leads_to_body(TSLexer *lexer, int32_t c) {
  for (unsigned i = 0; i < 8; i++) {
    if (c == '(') {
      if (!skip_parens(lexer).matched) return false;
      c = skip_gap(lexer).next;
    }
    if (!is_word_start(c)) return c == '{';
    Follower f = read_follower(lexer);
    if (!(f.class & (C_ATTRIBUTE | C_ANNOTATION | C_ANNOTATION_CALL))) return false;
    c = f.after;
  }
  return false;
}

// `{ .field = …` behind a macro at the left margin: the '{' is under the head.
static bool brace_opens_initializer(TSLexer *lexer) {
  next(lexer);
  return skip_gap(lexer).next == '.';
}

// SECTIONS { … } of a linker script: kept as text, if need be to the end of the file. The '{' is under the head.
static bool scan_linker_script(TSLexer *lexer) {
  unsigned depth = 0;
  for (; !lexer->eof(lexer); next(lexer)) {
    if (lexer->lookahead == '{') depth++;
    else if (lexer->lookahead == '}' && --depth == 0) {
      next(lexer);
      lexer->mark_end(lexer);
      return accept(lexer, PP_SKIPPED);
    }
  }
  lexer->mark_end(lexer);
  return accept(lexer, PP_SKIPPED);
}

// `class name : public base { … };` or `class name;` of C++: kept as text, to the end of the file if it has no end of
// its own. The head is behind the name.
static bool scan_class(TSLexer *lexer) {
  unsigned depth = 0;
  for (bool end = false; !end && !lexer->eof(lexer);) {
    int32_t c = lexer->lookahead;
    if (c == '{') depth++;
    else if (c == '}' && depth-- == 0) break;
    else if (c == ';' && depth == 0) end = true;
    next(lexer);
  }
  lexer->mark_end(lexer);
  return accept(lexer, PP_SKIPPED);
}

static bool scan_name(TSLexer *lexer, const bool *valid, bool newline_before, unsigned column) {
  Word name;
  bool statement = valid[MACRO_STATEMENT];
  read_word(lexer, &name);
  if (lexer->lookahead > 127) return false;  // an identifier beyond ASCII
  // L"…": the prefix is part of the string.
  if (lexer->lookahead == '"' && (strcmp(name.text, "L") == 0 || strcmp(name.text, "u8") == 0
      || strcmp(name.text, "u") == 0 || strcmp(name.text, "U") == 0)) return false;
  lexer->mark_end(lexer);
  unsigned class = classify(&name);
  if (class & C_RESERVED) return false;
  // Asking for the column makes the engine read its line again: only where it may matter.
  if (statement && !newline_before && !valid[TYPE_WORD]) column = lexer->get_column(lexer) - name.length;
  bool upper = is_upper(&name), dunder = is_dunder(&name);
  bool known = class & C_ANNOTATION, known_call = class & C_ANNOTATION_CALL;
  bool in_arguments = valid[TYPE_WORD];

  Gap gap = skip_gap(lexer);
  int32_t c = gap.next;

  if (c != '(') {
    if (valid[ANNOTATION_LABEL] && known) return accept(lexer, ANNOTATION_LABEL);
    if (valid[ANNOTATION_TAG]) return known && (is_word_start(c) || c == '{') && accept(lexer, ANNOTATION_TAG);

    // Words that lead to a string are pieces of it.
    if (c == '"') return valid[STRING_WORD] && accept(lexer, STRING_WORD);

    if (!is_word_start(c)) {
      if (valid[ANNOTATION_AFTER]) {
        if (known && c != '[' && c != '=' && c != ':') return accept(lexer, ANNOTATION_AFTER);
        // int __foo *p
        if (c == '*') return accept(lexer, ANNOTATION_AFTER);
        // A parameter or member may end at its type; what comes then is its name.
        return false;
      }
      if (valid[ANNOTATION_BEHIND]) {
        if (known || dunder || upper) return accept(lexer, ANNOTATION_BEHIND);
        return c == '{' && accept(lexer, ANNOTATION_BEHIND);
      }
      if (known && c == '*' && valid[ANNOTATION_BEFORE] && !statement) return accept(lexer, ANNOTATION_BEFORE);
      if (valid[TYPE_WORD] && !statement) return accept(lexer, TYPE_WORD);
      if (valid[TYPE_WORD] && c == '*') {
        // foo(type *, …), foo(type_t *name, …)
        bool spaced = gap.newline || gap.column > 0;
        while (lexer->lookahead == '*') { next(lexer); }
        bool tight = !is_blank(lexer->lookahead);
        int32_t e = skip_gap(lexer).next;
        if (e == ')' || e == ',') return accept(lexer, TYPE_WORD);
        if (e == '*') return false;
        if (is_word_start(e)) {
          Follower f = read_follower(lexer);
          if (f.class & (C_QUALIFIER | C_ANNOTATION)) return accept(lexer, TYPE_WORD);
          if (spaced && tight && looks_type(&name, class)) return accept(lexer, TYPE_WORD);
          if (f.after == ';' && spaced && tight) return accept(lexer, TYPE_WORD);
          if (f.after == '=' && spaced && tight) {
            next(lexer);
            return lexer->lookahead != '=' && accept(lexer, TYPE_WORD);
          }
        }
        return false;
      }
      if (statement) {
        if (c == ':' && column == 0 && valid[PP_SKIPPED] && !in_arguments) return scan_assembler_label(lexer);
        if (c == '{' && column == 0 && valid[PP_SKIPPED] && strcmp(name.text, "SECTIONS") == 0) return scan_linker_script(lexer);
        if (c == '{' && column > 0 && valid[MACRO_WORD_BODY] && !in_arguments) return accept(lexer, MACRO_WORD_BODY);
        if ((c == '}' || c == 0) && gap.newline && (has_upper(&name) || (class & C_WORD))) return accept(lexer, MACRO_WORD);
      }
      if (valid[MACRO_WORD] && !statement && ((class & C_WORD) || ((upper || dunder) && (c == '}' || c == ';')))) return accept(lexer, MACRO_WORD);
      if (valid[MACRO_ELEMENT] && upper && c == '&' && gap.column > 0) {
        // RCU_OPS &other_ops
        next(lexer);
        return is_word_start(lexer->lookahead) && accept(lexer, MACRO_ELEMENT);
      }
      // QUIRK_DRIVER_INFO { .ifnum = 0 }
      if (valid[MACRO_ELEMENT] && upper && c == '{' && !statement) return accept(lexer, MACRO_ELEMENT);
      if (valid[MACRO_ELEMENT] && gap.newline && (c == '.' || c == '[' || c == '{')) {
        if (c == '.') {
          next(lexer);
          if (!is_word_start(lexer->lookahead)) return false;
        }
        return accept(lexer, MACRO_ELEMENT);
      }
      return false;
    }

    // A word follows.
    if ((class & C_WORD) && valid[MACRO_WORD]) return accept(lexer, MACRO_WORD);
    // DO_ALL_FLAGS, and before the next item: #undef FLAG
    if (statement && upper && gap.directive) return accept(lexer, MACRO_WORD);
    Follower f = read_follower(lexer);
    bool type_follows = f.class & C_TYPE, name_follows = !(f.class & C_RESERVED);

    if (statement && newline_before && valid[PP_SKIPPED] && !in_arguments && !gap.newline) {
      if (column == 0 && strcmp(name.text, "class") == 0) return scan_class(lexer);
      if (column > 0 && f.after == ',' && name_follows) return scan_instructions(lexer);
    }

    if (valid[MACRO_FIELD] && valid[MACRO_WORD] && upper && is_upper(&f.word)) {
      // struct foo { COMMON_HEADER MORE_MEMBERS }
      if (f.after == '}') return accept(lexer, MACRO_WORD);
      if (f.after == '(' && !(f.class & C_ANNOTATION_CALL)) {
        if (!skip_parens(lexer).matched) return false;
        c = skip_gap(lexer).next;
        return (is_word_start(c) || c == '}') && accept(lexer, MACRO_WORD);
      }
    }

    if (valid[ANNOTATION_BEHIND] && !valid[ANNOTATION_AFTER]) {
      if (known || dunder || (f.class & (C_ATTRIBUTE | C_ANNOTATION))) return accept(lexer, ANNOTATION_BEHIND);
      if (upper) return accept(lexer, ANNOTATION_BEHIND);
      return false;
    }
    if (valid[ANNOTATION_AFTER]) {
      if (known) return accept(lexer, ANNOTATION_AFTER);
      if (f.class & (C_ATTRIBUTE | C_ANNOTATION | C_ANNOTATION_CALL | C_CONTROL | C_KEYWORD)) {
        // int __attribute_const__ __deprecated name(
        if (dunder && (f.class & C_ANNOTATION) && is_word_start(f.after)) {
          Follower g = read_follower(lexer);
          if (g.class == C_NONE && !looks_annotation(&g.word, g.class) && g.after == '(') return accept(lexer, ANNOTATION_AFTER);
          return valid[ANNOTATION_BEHIND] && accept(lexer, ANNOTATION_BEHIND);
        }
        if (!valid[ANNOTATION_BEHIND]) return false;
      } else if (upper || dunder || !looks_annotation(&f.word, f.class)) {
        return accept(lexer, ANNOTATION_AFTER);
      }
      return dunder && accept(lexer, ANNOTATION_BEHIND);
    }
    Follower second;
    bool looked = valid[STRING_WORD] && name_follows && (!statement || in_arguments);
    // TENFOLD TENFOLD : "=r" (x)
    if (looked && !in_arguments && upper && f.after == ':' && is_upper(&f.word)) return accept(lexer, STRING_WORD);
    if (looked && ends_in_string(lexer, f.after, &second)) return accept(lexer, STRING_WORD);
    if (valid[TYPE_WORD] && !statement && name_follows) return accept(lexer, TYPE_WORD);
    // CRITFLAGS on a line, CRITBEGIN on the next, as far to the right
    if (statement && upper && is_upper(&f.word) && f.class == C_NONE && column > 0 && gap.newline && gap.column == column)
      return accept(lexer, MACRO_WORD);
    if (valid[ANNOTATION_BEFORE]) {
      if (known) return accept(lexer, ANNOTATION_BEFORE);
      // (FORCE foo_t)x
      if ((upper || dunder) && f.after == ')' && looks_type(&f.word, f.class) && !in_arguments) return accept(lexer, ANNOTATION_BEFORE);
      // STATIC int …: two types in a row are an annotation and a type
      if (type_follows && f.after != ';' && f.after != ',' && !(class & C_INTEGER)) return accept(lexer, ANNOTATION_BEFORE);
      if (is_word_start(f.after) && (f.class & C_ANNOTATION) && !upper && !dunder) {
        // const_debug __maybe_unused int
        Follower g = looked ? second : read_follower(lexer);
        if (g.class & C_TYPE) return accept(lexer, ANNOTATION_BEFORE);
      } else if ((upper || dunder) && is_word_start(f.after) && (name_follows || (f.class & C_QUALIFIER))) {
        bool telling = f.class & (C_ANNOTATION | C_ANNOTATION_CALL | C_QUALIFIER) || (is_dunder(&f.word) && name_follows);
        Follower g = looked ? second : read_follower(lexer);
        if (statement && !looked && gap.newline && leads_to_known_macro(lexer, g)) return accept(lexer, MACRO_WORD);
        // STATIC noinline int, STATIC UNUSED int
        if (g.class & C_TYPE) return accept(lexer, ANNOTATION_BEFORE);
        // __section_data u32 __name[16], __attribute_const__ __u16 __swab(__u16 x)
        if (looks_type(&f.word, f.class) && !(g.class & (C_RESERVED | C_ANNOTATION | C_ANNOTATION_CALL))
            && (g.after == '[' || g.after == '=' || g.after == ';' || g.after == '(')) return accept(lexer, ANNOTATION_BEFORE);
        // STATIC foo_t name, STATIC const foo_t *
        if (!(g.class & C_RESERVED) && !looks_annotation(&g.word, g.class) && !telling) return accept(lexer, ANNOTATION_BEFORE);
        if (!(g.class & C_RESERVED) && (is_word_start(g.after) || g.after == '*')) return accept(lexer, ANNOTATION_BEFORE);
        if ((g.class & C_QUALIFIER) && !telling) return accept(lexer, ANNOTATION_BEFORE);
      } else if ((upper || dunder) && f.after == '(' && (f.class & C_ANNOTATION_CALL)) {
        // INLINE __printf(1, 2) int
        if (looked ? second.word.length > 0 : skip_parens(lexer).matched && is_word_start(skip_gap(lexer).next)) {
          Follower g = looked ? second : read_follower(lexer);
          if ((g.class & C_TYPE) || looks_type(&g.word, g.class)) return accept(lexer, ANNOTATION_BEFORE);
        }
      } else if ((upper || dunder) && f.after == '*' && name_follows && !in_arguments && !looks_annotation(&f.word, f.class)) {
        return accept(lexer, ANNOTATION_BEFORE);
      }
    }
    if (valid[TYPE_WORD]) {
      if ((f.class & C_QUALIFIER) || (f.class & C_ANNOTATION)) return accept(lexer, TYPE_WORD);
      if (name_follows && (f.after == ',' || f.after == ')' || f.after == '[' || f.after == ';' || f.after == '='))
        return accept(lexer, TYPE_WORD);
      // RETURN_STATUS(acpi_status dump(int a)), RETURN_STATUS(acpi_status INIT_FUNCTION dump(int a))
      if (name_follows && !begins_upper(&name) && !dunder && (f.after == '(' || (is_upper(&f.word) && is_word_start(f.after))))
        return accept(lexer, TYPE_WORD);
      // BITFIELD_FIELD(u64 mode:1, …)
      if (name_follows && f.after == ':' && looks_type(&name, class)) return accept(lexer, TYPE_WORD);
    }
    // names_without_semicolon, and on the next line TRACE_EVENT(
    if (statement && gap.newline && f.after == '(' && (f.class & C_STATEMENT)) return accept(lexer, MACRO_WORD);
    if (statement && gap.newline && column == 0 && !upper && leads_to_known_macro(lexer, f)) return accept(lexer, MACRO_WORD);
    if (statement && gap.newline && begins_upper(&name)) {
      if (f.class & C_CONTROL) return accept(lexer, MACRO_WORD);
      if (is_upper(&f.word) && (f.after == '(' || is_word_start(f.after))) return accept(lexer, MACRO_WORD);
      if (f.after == '(' && in_arguments && is_dunder(&f.word)) return accept(lexer, MACRO_WORD);
      // CRITBEGIN on a line, foo(x) or a->b = 1 on the next, as far to the right
      if (upper && column > 0 && gap.column == column && (f.after == '(' || f.after == '-' || f.after == '.')) return accept(lexer, MACRO_WORD);
    }
    if (valid[MACRO_ELEMENT] && (gap.newline || (upper && is_upper(&f.word))) && (name_follows || (f.class & C_KEYWORD))) return accept(lexer, MACRO_ELEMENT);
    return false;
  }

  // A '(' follows: read over the arguments and see what comes then.
  if (valid[STRING_CALL_BEHIND]) return accept(lexer, STRING_CALL_BEHIND);
  bool field = valid[MACRO_FIELD];
  bool formats = strcmp(name.text, "pr_fmt") == 0;
  if (field && (class & C_GROUP)) return accept(lexer, MACRO_GROUP);
  bool declaring = valid[MACRO_DECLARATION];
  bool annotating = valid[ANNOTATION_CALL_BEFORE] || valid[ANNOTATION_CALL_AFTER] || valid[ANNOTATION_CALL_BEHIND]
    || valid[ANNOTATION_CALL_TAG];
  bool interesting = statement || declaring || field || valid[MACRO_ELEMENT] || annotating
    || (valid[STRING_CALL] && (upper || dunder || formats));
  if (!interesting) return false;
  if (in_arguments && !upper && !formats && name.text[0] != '_' && !known_call && !is_loop(&name, class)) return false;
  if (known && valid[ANNOTATION_AFTER]) return accept(lexer, ANNOTATION_AFTER);
  if (known && valid[ANNOTATION_BEHIND]) return accept(lexer, ANNOTATION_BEHIND);
  if (valid[ANNOTATION_CALL_TAG]) return known_call && accept(lexer, ANNOTATION_CALL_TAG);
  if (known_call && valid[ANNOTATION_CALL_BEHIND]) return accept(lexer, ANNOTATION_CALL_BEHIND);
  if (statement && is_loop(&name, class) && (in_arguments || column > 0)) {
    // A loop by its name; `for_each_x(…);` is a call all the same.
    Parens p = skip_parens(lexer);
    if (!p.matched) return false;
    int32_t e = skip_gap(lexer).next;
    if (e == ';') {
      // An empty body belongs to a loop's name; a known callback walker would be an expression.
      return contains(name.text, "for_each") && (class & C_BODY) && accept(lexer, MACRO_BODY);
    }
    if (is_word_start(e) || e == '{' || e == '*' || e == '(' || e == '+' || e == '-') return accept(lexer, MACRO_BODY);
    return false;
  }

  Parens p = skip_parens(lexer);
  if (!p.matched) return false;
  gap = skip_gap(lexer);
  c = gap.next;
  bool word = is_word_start(c);

  if (valid[STRING_CALL] && c == '"' && (upper || dunder || formats)) return accept(lexer, STRING_CALL);

  Follower f;
  f.class = 0;
  f.after = 0;
  f.word.text[0] = 0;
  if (word) f = read_follower(lexer);
  Follower second;
  if (valid[STRING_CALL] && !statement && (upper || dunder) && word && ends_in_string(lexer, f.after, &second))
    return accept(lexer, STRING_CALL);
  bool annotation_follows = word && ((f.class & (C_ATTRIBUTE | C_ANNOTATION | C_ANNOTATION_CALL)) != 0);

  if (valid[ANNOTATION_CALL_BEHIND]) {
    if (dunder || upper) return accept(lexer, ANNOTATION_CALL_BEHIND);
    if (!valid[ANNOTATION_CALL_AFTER]) return (c == '{' || c == ';') && accept(lexer, ANNOTATION_CALL_BEHIND);
  }
  if (valid[ANNOTATION_CALL_AFTER]) {
    if (known_call && (word || c == '*' || c == ';' || c == '=' || c == ',' || c == ')')) return accept(lexer, ANNOTATION_CALL_AFTER);
    // int __printf(1, 0) (*print)(const char *format, va_list args)
    if (known_call && c == '(') {
      next(lexer);
      return skip_gap(lexer).next == '*' && accept(lexer, ANNOTATION_CALL_AFTER);
    }
    bool takes_type = (p.first_class & (C_TYPE | C_QUALIFIER)) || p.empty;
    if ((c == '*' || (word && !annotation_follows && !(f.class & C_RESERVED))) && !takes_type)
      return accept(lexer, ANNOTATION_CALL_AFTER);
    return false;
  }
  if (valid[ANNOTATION_CALL_BEFORE]) {
    if (known_call && word && !(f.class & C_CONTROL)) return accept(lexer, ANNOTATION_CALL_BEFORE);
    // FOO(x) int y: an annotation on one line, a macro of its own if the line ends
    if (word && (f.class & C_TYPE) && !(class & (C_STATEMENT | C_DECLARES)) && !in_arguments
        && (!gap.newline || (dunder && !statement)))
      return accept(lexer, ANNOTATION_CALL_BEFORE);
  }

  if (field) {
    if (p.first == '*' || p.first == '^' || c == '(') return false;
    if (c == ';' || c == '}') return accept(lexer, MACRO_FIELD);
    if (word && !gap.newline && !annotation_follows)
      return (valid[TYPE_MACRO] && upper) && accept(lexer, TYPE_MACRO);
    if (c == '*' && !gap.newline) return valid[TYPE_MACRO] && upper && accept(lexer, TYPE_MACRO);
    if (word) return accept(lexer, MACRO_FIELD);
    return false;
  }

  if (valid[MACRO_ELEMENT]) {
    if (!gap.newline && !(upper && c == '{')) return false;
    if (c == '.') {
      next(lexer);
      if (!is_word_start(lexer->lookahead)) return false;
      return accept(lexer, MACRO_ELEMENT);
    }
    return ((word && (!(f.class & C_RESERVED) || (f.class & C_KEYWORD))) || c == '{' || c == '[') && accept(lexer, MACRO_ELEMENT);
  }

  // Only modifiers so far, no type: static DEFINE_MUTEX(x); static FOO(x) { … }
  if (declaring && !statement) {
    if (c == '{') return accept(lexer, brace_opens_initializer(lexer) ? MACRO_DECLARATION : MACRO_FUNCTION);
    if (p.first == '*') return false;
    if (c == ';' || c == '=' || c == ',' || (c == '[' && is_declaring(&name, class))) return accept(lexer, MACRO_DECLARATION);
    if (is_declaring(&name, class) && (annotation_follows || (word && looks_annotation(&f.word, f.class) && !gap.newline)))
      return accept(lexer, MACRO_DECLARATION);
    if (annotation_follows && f.after == '=') return accept(lexer, MACRO_DECLARATION);
    if (gap.newline && annotation_follows && leads_to_body(lexer, f.after)) return accept(lexer, MACRO_FUNCTION);
    // The next item begins on a line of its own.
    if (c == 0) return accept(lexer, MACRO_BARE);
    if (gap.newline && gap.column == 0 && (annotation_follows || (f.class & (C_TYPE | C_QUALIFIER | C_STATEMENT))))
      return accept(lexer, MACRO_BARE);
    if ((word || c == '*') && valid[TYPE_MACRO] && !annotation_follows) return accept(lexer, TYPE_MACRO);
    return false;
  }

  if (!statement) {
    return false;
  }

  if (declaring) {
    if (is_declaring(&name, class) && p.first != '*') {
      if (c == ';' || c == '=' || c == '[') return accept(lexer, MACRO_DECLARATION);
      if (annotation_follows || (word && looks_annotation(&f.word, f.class) && !gap.newline && f.after != '(')) return accept(lexer, MACRO_DECLARATION);
    }
    if (column == 0 && c == '=' ) {
      next(lexer);
      return lexer->lookahead != '=' && accept(lexer, MACRO_DECLARATION);
    }
    if (column == 0 && annotation_follows && leads_to_body(lexer, f.after)) return accept(lexer, MACRO_FUNCTION);
  }
  if (c == '{') {
    if (in_arguments) return false;
    if (column == 0 && valid[MACRO_FUNCTION]) return accept(lexer, brace_opens_initializer(lexer) ? MACRO_DECLARATION : MACRO_FUNCTION);
    return accept(lexer, MACRO_BODY);
  }
  if (c == 0 || c == '}') return accept(lexer, MACRO_STATEMENT);
  if (in_arguments) return word && !(f.class & C_KEYWORD) && accept(lexer, MACRO_STATEMENT);
  if (word) {
    if (f.class & C_STATEMENT || class & C_STATEMENT) return accept(lexer, MACRO_STATEMENT);
    if (strcmp(f.word.text, "else") == 0) return accept(lexer, MACRO_STATEMENT);
    if (!gap.newline) {
      if (f.class & (C_TYPE | C_QUALIFIER | C_ATTRIBUTE)) return accept(lexer, MACRO_STATEMENT);
      if (!(f.class & C_RESERVED) && (f.after == ';' || f.after == '=' || f.after == ',' || f.after == '['))
        return valid[TYPE_MACRO] && declaring && accept(lexer, TYPE_MACRO);
      if (f.after == '(' && column == 0 && !is_upper(&f.word)) return valid[TYPE_MACRO] && accept(lexer, TYPE_MACRO);
      if (f.after == '(' && is_upper(&f.word)) return accept(lexer, MACRO_STATEMENT);
      return accept(lexer, MACRO_BODY);
    }
    if (gap.column > column && column > 0) return accept(lexer, MACRO_BODY);
    return accept(lexer, MACRO_STATEMENT);
  }
  // FOO(x) on a line, *p = 1 or (void)x or ++x on the next
  if (gap.newline && upper && gap.column == column && (c == '*' || c == '(' || c == '+' || c == '-'))
    return accept(lexer, MACRO_STATEMENT);
  if (c == '*' && !gap.newline && upper && declaring && valid[TYPE_MACRO]) return accept(lexer, TYPE_MACRO);
  return false;
}

// ------------------------------------------------------------------------------------------------ Interface

void *tree_sitter_kernel_c_external_scanner_create(void) {
  Scanner *s = ts_malloc(sizeof *s);
  if (s) { s->depth = 0; s->overflow = 0; }
  return s;
}

void tree_sitter_kernel_c_external_scanner_destroy(void *payload) { ts_free(payload); }

unsigned tree_sitter_kernel_c_external_scanner_serialize(void *payload, char *buffer) {
  const Scanner *s = payload;
  if (s->depth == 0 && s->overflow == 0) return 0;
  buffer[0] = (char)(s->overflow & 0xff);
  buffer[1] = (char)(s->overflow >> 8);
  for (unsigned i = 0; i < s->depth; i++) buffer[2 + i] = (char)s->modes[i];
  return 2u + s->depth;
}

void tree_sitter_kernel_c_external_scanner_deserialize(void *payload, const char *buffer, unsigned length) {
  Scanner *s = payload;
  s->depth = 0;
  s->overflow = 0;
  if (length < 2) return;
  s->overflow = (uint16_t)((uint8_t)buffer[0] | ((uint8_t)buffer[1] << 8));
  s->depth = (uint8_t)(length - 2);
  for (unsigned i = 0; i < s->depth; i++) s->modes[i] = (uint8_t)buffer[2 + i];
}

bool tree_sitter_kernel_c_external_scanner_scan(void *payload, TSLexer *lexer, const bool *valid) {
  Scanner *s = payload;
  bool recovering = valid[ERROR_SENTINEL];

  if (valid[IN_STRING] && !recovering) return false;
  if (valid[PP_FLAT_REST] && !recovering) {
    skip_line(lexer);
    lexer->mark_end(lexer);
    return accept(lexer, PP_FLAT_REST);
  }
  if (s->depth && s->modes[s->depth - 1] == SKIP && !s->overflow) {
    s->modes[s->depth - 1] = LATER;
    if (lexer->lookahead == '\n') lexer->advance(lexer, true);
    skip_branch(lexer, false, true);
    return accept(lexer, PP_SKIPPED);
  }
  if (valid[PP_PARAMS_START] && lexer->lookahead == '(' && !recovering) {
    next(lexer);
    lexer->mark_end(lexer);
    return accept(lexer, PP_PARAMS_START);
  }
  if ((valid[PP_ARG] || valid[PP_NEWLINE]) && !recovering) {
    for (;;) {
      if (is_blank(lexer->lookahead)) lexer->advance(lexer, true);
      else if (lexer->lookahead == '\\') {
        lexer->advance(lexer, true);
        if (lexer->lookahead == '\r') lexer->advance(lexer, true);
        if (lexer->lookahead == '\n') lexer->advance(lexer, true);
      } else break;
    }
    if (lexer->eof(lexer) || lexer->lookahead == '\n') {
      if (!lexer->eof(lexer)) next(lexer);
      lexer->mark_end(lexer);
      return valid[PP_NEWLINE] && accept(lexer, PP_NEWLINE);
    }
    return valid[PP_ARG] && scan_argument(lexer);
  }

  bool newline = false, continued = false;
  unsigned column = 0;
  for (;;) {
    int32_t c = lexer->lookahead;
    if (c == '\n') { newline = !continued; continued = false; column = 0; }
    else if (c == '\\') { continued = true; newline = false; }
    else if (is_blank(c)) column++;
    else break;
    lexer->advance(lexer, true);
  }
  int32_t c = lexer->lookahead;
  // A '#' that does not begin its line is a character in a string or an operator of the preprocessor.
  if (c == '#') return (newline || (!continued && lexer->get_column(lexer) == column)) && scan_directive(s, lexer, valid);
  bool item = valid[PP_SKIPPED] && valid[PP_IF] && !valid[PP_IF_LIST] && !recovering;
  if (c == '.' && newline && valid[PP_SKIPPED]) return scan_assembler(lexer, item);
  if (item && column == 0 && (c == '|' || c == ';') && (newline || lexer->get_column(lexer) == 0)) return scan_assembler_comment(lexer);
  if (recovering || !is_word_start(c)) return false;
  return scan_name(lexer, valid, newline, column);
}
