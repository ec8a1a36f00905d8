// SQL as a database would read it, in small pieces.

struct SQLToken {
  enum Kind: UInt8 {
    case number, string, word, keyword, function, variable
    /// `=`, `<>`, LIKE …: what stands between two operands and gives true or false.
    case comparison
    /// AND, OR, XOR, `||`, `&&`.
    case logic
    /// `+ - * / % ^ | & ~ !`
    case arithmetic
    case open, close, comma, semicolon, dot
    case comment
    case other
  }

  var kind: Kind
  var keyword: SQLKeyword
  var start: Int32
  var end: Int32
  /// Strings: the closing quote is missing. Comments: no text inside, or no end.
  var isOpen = false
}

enum SQLKeyword: UInt8 {
  case none
  case select, from, `where`, union, all, distinct, insert, into, values, update, set, delete, drop, create, alter
  case truncate, exec, declare, waitfor, delay, shutdown, grant, order, group, by, having, limit, `case`, when
  case then, end, table, database, outfile, dumpfile, procedure, null, bool, not, between, top, merge, handler, load
  case begin, exists, cast, trigger, view, function, user, index, `as`, replace, call, any
}

/// Words that mean something, by a hash of their lower-case letters.
enum SQLWords {
  static let keywords: [UInt64: SQLKeyword] = table([
    ("select", .select), ("from", .from), ("where", .where), ("union", .union), ("all", .all), ("distinct", .distinct),
    ("insert", .insert), ("into", .into), ("values", .values), ("update", .update), ("set", .set),
    ("delete", .delete), ("drop", .drop), ("create", .create), ("alter", .alter), ("truncate", .truncate),
    ("exec", .exec), ("execute", .exec), ("declare", .declare), ("waitfor", .waitfor), ("delay", .delay),
    ("shutdown", .shutdown), ("grant", .grant), ("order", .order), ("group", .group), ("by", .by),
    ("having", .having), ("limit", .limit), ("case", .case), ("when", .when), ("then", .then), ("end", .end),
    ("table", .table), ("database", .database), ("outfile", .outfile), ("dumpfile", .dumpfile),
    ("procedure", .procedure), ("null", .null), ("true", .bool), ("false", .bool), ("not", .not),
    ("between", .between), ("top", .top), ("merge", .merge), ("handler", .handler), ("load", .load),
    ("begin", .begin), ("exists", .exists), ("trigger", .trigger), ("view", .view), ("function", .function),
    ("index", .index), ("as", .as), ("replace", .replace), ("call", .call), ("any", .any), ("some", .any),
  ])

  static let comparisons: Set<UInt64> = set([
    "like", "rlike", "regexp", "in", "is", "between", "ilike", "glob", "sounds", "similar", "soundex",
  ])
  static let logic: Set<UInt64> = set(["and", "or", "xor"])

  /// Functions that attackers call to be seen or to see, and innocent texts do not.
  static let alarming: Set<UInt64> = set([
    "sleep", "benchmark", "pg_sleep", "load_file", "extractvalue", "updatexml", "xp_cmdshell", "xp_dirtree",
    "xp_regread",
    "sp_executesql", "sp_oacreate", "randomblob", "lo_import", "lo_export", "pg_read_file", "make_set", "name_const",
    "receive_message", "get_host_address", "ctxsys", "openrowset", "opendatasource", "xmltype", "dbms_lock",
    "gtid_subset",
    "st_latfromgeohash", "load_extension", "pg_ls_dir", "query_to_xml", "sqlite_version", "group_concat", "string_agg",
  ])

  /// Functions that show up in attacks as well as elsewhere.
  static let suspicious: Set<UInt64> = set([
    "char", "chr", "nchar", "concat", "concat_ws", "version", "user", "database", "current_user", "system_user",
    "session_user", "substring", "substr", "mid", "ascii", "ord", "length", "len", "if", "iif", "ifnull", "isnull",
    "nullif", "coalesce", "cast", "convert", "hex", "unhex", "exp", "floor", "rand", "count", "elt", "schema",
    "db_name",
    "quote", "least", "greatest", "row", "now", "to_char", "utl_inaddr", "current_database", "pow", "conv", "field",
    "bin", "instr", "locate", "position", "lpad", "rpad", "reverse", "json_keys", "json_extract", "connection_id",
  ])

  /// Tables that tell about the database itself.
  static let catalogs: Set<UInt64> = set([
    "information_schema", "sysobjects", "syscolumns", "sysdatabases", "pg_catalog", "pg_user", "pg_shadow", "pg_tables",
    "sqlite_master", "sqlite_schema", "all_tables", "user_tables", "msysobjects", "xp_cmdshell", "sp_executesql",
    "sp_password", "user_tab_columns", "all_tab_columns", "v$version", "sysusers", "pg_class",
  ])

  private static func table(_ list: [(String, SQLKeyword)]) -> [UInt64: SQLKeyword] {
    Dictionary(list.map { (hash($0.0), $0.1) }) { first, _ in first }
  }

  private static func set(_ words: [String]) -> Set<UInt64> { Set(words.map(hash)) }

  private static func hash(_ word: String) -> UInt64 {
    var word = word
    return word.withUTF8 { hash($0) }
  }

  /// FNV-1a of the lower-case letters.
  @inline(__always)
  static func hash(_ word: ByteView) -> UInt64 {
    var value: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in word { value = (value ^ UInt64(lowercased(byte))) &* 0x100_0000_01B3 }
    return value
  }
}

/// Cuts a text into SQL's pieces. Memory is used again.
final class SQLTokenizer {
  private(set) var tokens: [SQLToken] = []
  /// A comment stood between two tokens, as attackers write instead of spaces.
  private(set) var hasInlineComment = false
  private var text = ByteView(start: nil, count: 0)
  private var position = 0

  /// - Parameter quote: the text begins inside of a string of this quote; nil for outside of strings.
  func run(_ text: ByteView, insideOf quote: UInt8?) {
    self.text = text
    tokens.removeAll(keepingCapacity: true)
    position = 0
    hasInlineComment = false
    if let quote { closeString(quote) }
    while position < text.count { next() }
  }

  private func append(_ kind: SQLToken.Kind, _ start: Int, _ keyword: SQLKeyword = .none, isOpen: Bool = false) {
    tokens.append(
      SQLToken(kind: kind, keyword: keyword, start: Int32(start), end: Int32(position), isOpen: isOpen))
  }

  private func at(_ offset: Int) -> UInt8 { position + offset < text.count ? text[position + offset] : 0 }

  private func next() {
    let start = position
    let byte = text[position]
    if isSpace(byte) || byte == 0xA0 || byte == 0 {
      position += 1
      return
    }
    if isLetter(byte) || byte == 0x5F || byte == 0x60 || byte == 0x5B || byte >= 0x80 { return word() }
    if isDigit(byte) || (byte == 0x2E && isDigit(at(1))) { return number() }
    switch byte {
    case 0x27, 0x22:
      position += 1
      string(byte, from: start)
    case 0x40:
      while position < text.count, text[position] == 0x40 { position += 1 }
      while position < text.count, isWordByte(text[position]) || text[position] == 0x2E { position += 1 }
      append(.variable, start)
    case 0x2D where at(1) == 0x2D, 0x23: lineComment()
    case 0x2F where at(1) == 0x2A: blockComment()
    default: symbol(byte)
    }
  }

  /// The rest of a string that began before the text. Backslashes do not help: whoever is to be fooled may have doubled
  /// them.
  private func closeString(_ quote: UInt8) {
    while position < text.count, text[position] != quote { position += 1 }
    let isOpen = position >= text.count
    if !isOpen { position += 1 }
    append(.string, 0, isOpen: isOpen)
  }

  /// A string up to its closing quote; doubled and escaped quotes belong to it.
  private func string(_ quote: UInt8, from start: Int) {
    while position < text.count {
      let byte = text[position]
      if byte == 0x5C {
        position += 2
        continue
      }
      position += 1
      if byte == quote {
        if position < text.count, text[position] == quote {
          position += 1
          continue
        }
        return append(.string, start)
      }
    }
    position = text.count
    append(.string, start, isOpen: true)
  }

  private func lineComment() {
    let start = position
    position += text[position] == 0x23 ? 1 : 2
    let inside = position
    while position < text.count, text[position] != 0x0A { position += 1 }
    let rest = text[inside..<position].reduce(0) { $0 + (isSpace($1) || $1 == 0x2D || $1 == 0x2B ? 0 : 1) }
    append(.comment, start, isOpen: rest <= 2)
  }

  private func blockComment() {
    let start = position
    // MySQL executes what stands in such a comment, so its marks are white space.
    if at(2) == 0x21 {
      position += 3
      while position < text.count, isDigit(text[position]) { position += 1 }
      hasInlineComment = true
      return
    }
    position += 2
    while position < text.count, !(text[position] == 0x2A && at(1) == 0x2F) { position += 1 }
    if position >= text.count { return append(.comment, start, isOpen: true) }
    position += 2
    // Between two words it is but a space.
    hasInlineComment = true
  }

  private func number() {
    let start = position
    if text[position] == 0x30, at(1) | 0x20 == 0x78 {
      position += 2
      while position < text.count, Hex.value(text[position]) != nil { position += 1 }
    } else {
      while position < text.count, isDigit(text[position]) || text[position] == 0x2E { position += 1 }
      if position < text.count, text[position] | 0x20 == 0x65 {
        let sign = at(1) == 0x2B || at(1) == 0x2D ? 1 : 0
        if isDigit(at(1 + sign)) {
          position += 1 + sign
          while position < text.count, isDigit(text[position]) { position += 1 }
        }
      }
    }
    // `1or` is a number and a word; `3rd` and `a1b2` are words.
    var end = position
    while end < text.count, isWordByte(text[end]) { end += 1 }
    if end > position {
      let hash = SQLWords.hash(text.piece(position, end))
      if !SQLWords.logic.contains(hash), SQLWords.keywords[hash] == nil {
        position = end
        return append(.word, start)
      }
    }
    append(.number, start)
  }

  private func word() {
    let start = position
    let first = text[position]
    if first == 0x60 || first == 0x5B {
      let close: UInt8 = first == 0x60 ? 0x60 : 0x5D
      position += 1
      while position < text.count, text[position] != close { position += 1 }
      position = min(position + 1, text.count)
      return append(.word, start)
    }
    while position < text.count, isWordByte(text[position]) || text[position] >= 0x80 || text[position] == 0x24 {
      position += 1
    }
    let hash = SQLWords.hash(text.piece(start, position))
    if SQLWords.logic.contains(hash) { return append(.logic, start) }
    if SQLWords.comparisons.contains(hash) { return append(.comparison, start) }
    var after = position
    while after < text.count, isSpace(text[after]) { after += 1 }
    let isCall = after < text.count && text[after] == 0x28
    if let keyword = SQLWords.keywords[hash] { return append(.keyword, start, keyword) }
    append(isCall ? .function : .word, start)
  }

  private func symbol(_ byte: UInt8) {
    let start = position
    position += 1
    let next = position < text.count ? text[position] : 0
    switch byte {
    case 0x28: append(.open, start)
    case 0x29: append(.close, start)
    case 0x2C: append(.comma, start)
    case 0x3B: append(.semicolon, start)
    case 0x2E: append(.dot, start)
    case 0x3D, 0x3C, 0x3E:
      while position < text.count, text[position] == 0x3D || text[position] == 0x3E || text[position] == 0x3C {
        position += 1
      }
      append(.comparison, start)
    case 0x21 where next == 0x3D, 0x3A where next == 0x3D, 0x7E where next == 0x3D, 0x5E where next == 0x3D:
      position += 1
      append(.comparison, start)
    case 0x7C where next == 0x7C, 0x26 where next == 0x26:
      position += 1
      append(.logic, start)
    case 0x2A where next == 0x2F:
      // The end of one of MySQL's executed comments.
      position += 1
    case 0x2B, 0x2D, 0x2A, 0x2F, 0x25, 0x5E, 0x7C, 0x26, 0x7E, 0x21: append(.arithmetic, start)
    default: append(.other, start)
    }
  }
}
