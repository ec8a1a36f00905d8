// Whether a text would do harm as a part of an SQL statement: read as SQL from outside and from inside of a string, it
// is searched for what attacks consist of. Each finding has a weight; what reaches the threshold is an attack.

/// Finds SQL injection. For one thread.
public final class SQLInjectionDetector {
  private static let threshold = 10
  private static let sensitiveThreshold = 6
  /// Tokens that are looked at ahead.
  private static let window = 64
  private let tokenizer = SQLTokenizer()
  private var text = ByteView(start: nil, count: 0)
  /// The text closed a string that it did not open.
  private var isBroken = false

  public init() {}

  /// - Parameter isSensitive: WAFv2's sensitivity level HIGH: finds more, and more that is none.
  public func isAttack(_ text: ByteView, isSensitive: Bool) -> Bool {
    let wanted = isSensitive ? Self.sensitiveThreshold : Self.threshold
    // Nothing that can be an attack is shorter, or made of letters and digits alone.
    guard text.count >= 3, text.contains(where: { !isWordByte($0) }) else { return false }
    if score(text, nil) >= wanted { return true }
    for quote in [UInt8(0x27), 0x22] where text.contains(quote) {
      if score(text, quote) >= wanted { return true }
    }
    return false
  }

  func isAttack(_ text: String, isSensitive: Bool) -> Bool {
    var text = text
    return text.withUTF8 { isAttack($0, isSensitive: isSensitive) }
  }

  private func score(_ text: ByteView, _ quote: UInt8?) -> Int {
    self.text = text
    isBroken = quote != nil
    tokenizer.run(text, insideOf: quote)
    var total = 0
    let tokens = tokenizer.tokens
    for index in tokens.indices {
      total += weight(tokens, index)
      if total >= Self.threshold { return total }
    }
    return total
  }

  @inline(__always)
  private func weight(_ tokens: [SQLToken], _ index: Int) -> Int {
    switch tokens[index].kind {
    case .keyword: keyword(tokens, index)
    case .logic: logic(tokens, index)
    case .semicolon: stacked(tokens, index)
    case .function, .word, .variable: name(tokens, index)
    case .string: string(tokens, index)
    case .comment: comment(tokens, index)
    case .number: number(tokens, index)
    default: 0
    }
  }

  /// The pieces of SQL that make a text an attack, without quotes around strings; none when it is none. At most
  /// `MatchDetail.piecesMax`, from the one before what weighs most.
  func pieces(_ text: ByteView, isSensitive: Bool) -> [Range<Int>] {
    guard text.count >= 3, text.contains(where: { !isWordByte($0) }) else { return [] }
    let wanted = isSensitive ? Self.sensitiveThreshold : Self.threshold
    for quote in [nil, UInt8(0x27), 0x22] where quote.map({ text.contains($0) }) ?? true {
      guard score(text, quote) >= wanted else { continue }
      let tokens = tokenizer.tokens
      var (total, heaviest, place) = (0, 0, 0)
      for index in tokens.indices {
        let found = weight(tokens, index)
        if found > heaviest { (heaviest, place) = (found, index) }
        total += found
        if total >= Self.threshold { break }
      }
      return tokens[max(0, place - 1)...].prefix(MatchDetail.piecesMax).map { piece($0) }.filter { !$0.isEmpty }
    }
    return []
  }

  /// Where a token stands; of strings what is inside of the quotes.
  private func piece(_ token: SQLToken) -> Range<Int> {
    var (start, end) = (max(0, Int(token.start)), min(text.count, Int(token.end)))
    guard token.kind == .string, start < end else { return start..<max(start, end) }
    func isQuote(_ index: Int) -> Bool { text[index] == 0x27 || text[index] == 0x22 }
    if isQuote(start) { start += 1 }
    if start < end, isQuote(end - 1) { end -= 1 }
    return start..<end
  }

  // MARK: - Looking around

  private func kind(_ tokens: [SQLToken], _ index: Int) -> SQLToken.Kind? {
    tokens.indices.contains(index) ? tokens[index].kind : nil
  }

  private func keyword(_ tokens: [SQLToken], at index: Int) -> SQLKeyword {
    tokens.indices.contains(index) ? tokens[index].keyword : .none
  }

  private func hash(_ token: SQLToken) -> UInt64 { SQLWords.hash(text.piece(Int(token.start), Int(token.end))) }

  private func skip(_ tokens: [SQLToken], _ index: Int, _ kinds: SQLToken.Kind...) -> Int {
    var index = index
    while index < tokens.count, kinds.contains(tokens[index].kind) { index += 1 }
    return index
  }

  private func isLiteral(_ token: SQLToken) -> Bool {
    token.kind == .number || token.kind == .string || token.keyword == .null || token.keyword == .bool
  }

  private func isOperand(_ token: SQLToken) -> Bool {
    isLiteral(token) || token.kind == .word || token.kind == .variable || token.kind == .function
  }

  private func isAtEnd(_ tokens: [SQLToken], _ index: Int) -> Bool {
    let index = skip(tokens, index, .close)
    return index >= tokens.count || tokens[index].kind == .comment || tokens[index].kind == .semicolon
  }

  /// Whether a word follows soon: looking to the end each time would cost the square of the text's length.
  private func near(_ tokens: [SQLToken], _ index: Int, _ keyword: SQLKeyword) -> Bool {
    tokens[index..<min(tokens.count, index + Self.window)].contains { $0.keyword == keyword }
  }

  // MARK: - Statements

  private func keyword(_ tokens: [SQLToken], _ index: Int) -> Int {
    switch tokens[index].keyword {
    case .union: return union(tokens, index)
    case .select: return select(tokens, index)
    case .into:
      let next = keyword(tokens, at: index + 1)
      return next == .outfile || next == .dumpfile ? 10 : 0
    case .waitfor: return keyword(tokens, at: index + 1) == .delay ? 10 : 0
    case .order, .group: return order(tokens, index)
    case .having:
      guard comparison(tokens, index + 1) else { return 0 }
      let isCut = tokens.last?.kind == .comment || (index > 0 && isLiteral(tokens[index - 1]))
      return isBroken || isCut ? 10 : isLiteral(tokens[index + 1]) ? 6 : 2
    case .case:
      return keyword(tokens, at: index + 1) == .when && near(tokens, index, .then) ? 7 : 0
    case .procedure: return kind(tokens, index + 1) == .function && isBroken ? 8 : 0
    case .drop, .insert, .delete, .update, .truncate, .exec, .declare, .create, .alter, .shutdown, .grant, .merge:
      // Right behind a string that was broken out of, without a semicolon.
      return isBroken && index == 1 && statement(tokens, index) ? 8 : 0
    case .limit:
      guard index > 0, isLiteral(tokens[index - 1]), kind(tokens, index + 1) == .number else { return 0 }
      return isAtEnd(tokens, index + 2) && index + 2 < tokens.count ? 6 : 0
    default: return 0
    }
  }

  private func union(_ tokens: [SQLToken], _ index: Int) -> Int {
    var next = index + 1
    while next < tokens.count,
      tokens[next].keyword == .all || tokens[next].keyword == .distinct || tokens[next].kind == .open
    {
      next += 1
    }
    guard keyword(tokens, at: next) == .select || keyword(tokens, at: next) == .values else { return 0 }
    // "The union selects its leaders": only what could be columns makes it an attack.
    let follower = next + 1 < tokens.count ? tokens[next + 1] : nil
    guard let follower else { return 10 }
    if follower.kind == .word, keyword(tokens, at: next + 2) == .none, kind(tokens, next + 2) != .comma,
      !tokenizer.hasInlineComment, next == index + 1, !near(tokens, next, .from)
    {
      return isBroken ? 10 : 4
    }
    return 10
  }

  private func select(_ tokens: [SQLToken], _ index: Int) -> Int {
    var hasColumns = false
    var hasStar = false
    var from: Int?
    var position = index + 1
    while position < tokens.count, position < index + 40 {
      let token = tokens[position]
      if token.keyword == .from {
        from = position
        break
      }
      switch token.kind {
      case .comma: hasColumns = true
      case .arithmetic: if text[Int(token.start)] == 0x2A { hasStar = true }
      case .function, .variable: hasStar = true
      case .semicolon: position = tokens.count
      default: break
      }
      position += 1
    }
    let isInside = index > 0 && tokens[index - 1].kind == .open
    let isFirst = kind(tokens, index + 1)
    if isInside, index >= 2, isFirst != nil,
      from != nil || isFirst == .function || isFirst == .number || isFirst == .variable
    {
      return 10
    }
    if isInside, isFirst == .number || isFirst == .string || isFirst == .variable { return from == nil ? 8 : 10 }
    guard let from,
      kind(tokens, from + 1) == .word || kind(tokens, from + 1) == .open || keyword(tokens, at: from + 1) != .none
    else {
      return hasStar && (isFirst == .function || isFirst == .variable) ? (isBroken ? 8 : 6) : 0
    }
    if isInside || hasStar { return 10 }
    if isFirst == .number || isFirst == .string || isFirst == .variable { return 8 }
    if hasColumns, from - index <= 20, near(tokens, from, .where) { return 10 }
    // "Select one from the list": words only.
    if from - index == 2, keyword(tokens, at: from + 2) == .where { return 10 }
    return hasColumns ? 3 : from - index == 2 && isAtEnd(tokens, from + 2) ? 5 : 1
  }

  private func order(_ tokens: [SQLToken], _ index: Int) -> Int {
    guard keyword(tokens, at: index + 1) == .by, index + 2 < tokens.count else { return 0 }
    let what = tokens[index + 2]
    guard what.kind == .number || (what.kind == .word && isBroken) || what.kind == .open else { return 0 }
    let ends = isAtEnd(tokens, index + 3)
    let hasComment = tokens.last?.kind == .comment
    if ends, hasComment || isBroken && index <= 4 && what.kind == .number { return 10 }
    if ends, index > 0, isLiteral(tokens[index - 1]) { return 10 }
    return ends ? 5 : 2
  }

  private func stacked(_ tokens: [SQLToken], _ index: Int) -> Int {
    guard index + 1 < tokens.count else { return 0 }
    if statement(tokens, index + 1) { return 10 }
    if tokens[index + 1].kind == .comment, index > 0, tokens[index - 1].kind == .string, isBroken { return 8 }
    return 0
  }

  /// Whether a statement begins here, rather than a sentence.
  private func statement(_ tokens: [SQLToken], _ index: Int) -> Bool {
    let next = keyword(tokens, at: index + 1)
    let nextKind = kind(tokens, index + 1)
    switch tokens[index].keyword {
    case .drop, .create, .alter, .truncate:
      return [.table, .database, .view, .function, .procedure, .trigger, .user, .index].contains(next)
        || (next == .none && nextKind == .word && ["user", "login", "schema"].contains(word(tokens[index + 1])))
    case .insert: return next == .into
    case .delete: return next == .from
    case .update: return keyword(tokens, at: index + 2) == .set || near(tokens, index, .set)
    case .exec: return nextKind == .open || nextKind == .word || nextKind == .function || nextKind == .variable
    case .declare: return nextKind == .variable
    case .waitfor: return next == .delay || nextKind == .word
    case .shutdown: return index + 1 >= tokens.count || isAtEnd(tokens, index + 1) || nextKind == .word
    case .select:
      return nextKind == .function || nextKind == .arithmetic || nextKind == .number || nextKind == .variable
        || nextKind == .open || nextKind == .string || near(tokens, index, .from)
    case .begin: return next == .declare || next == .exec
    case .grant, .merge, .load, .handler, .call:
      return nextKind == .word || nextKind == .keyword || nextKind == .function
    default: return false
    }
  }

  private func word(_ token: SQLToken) -> String {
    String(decoding: text.piece(Int(token.start), Int(token.end)).map(lowercased), as: UTF8.self)
  }

  // MARK: - Conditions

  /// Whether an operand, a comparison and an operand stand here.
  private func comparison(_ tokens: [SQLToken], _ start: Int) -> Bool {
    var index = start
    while index < tokens.count,
      tokens[index].keyword == .not || tokens[index].kind == .open || tokens[index].kind == .arithmetic
    {
      index += 1
    }
    guard index < tokens.count, isOperand(tokens[index]) else { return false }
    if tokens[index].kind == .function { index = skipCall(tokens, index) } else { index += 1 }
    index = skip(tokens, index, .close)
    if keyword(tokens, at: index) == .not { index += 1 }
    return kind(tokens, index) == .comparison && index + 1 < tokens.count
  }

  private func skipCall(_ tokens: [SQLToken], _ start: Int) -> Int {
    var depth = 0
    var index = start + 1
    while index < min(tokens.count, start + Self.window) {
      if tokens[index].kind == .open { depth += 1 }
      if tokens[index].kind == .close {
        depth -= 1
        if depth == 0 { return index + 1 }
      }
      index += 1
    }
    return index
  }

  private func logic(_ tokens: [SQLToken], _ index: Int) -> Int {
    var next = index + 1
    while next < tokens.count,
      tokens[next].keyword == .not || tokens[next].kind == .open || tokens[next].kind == .arithmetic
        || tokens[next].kind == .logic
    {
      next += 1
    }
    guard next < tokens.count else { return 0 }
    if tokens[next].keyword == .select || tokens[next].keyword == .exists {
      return isBroken || next > index + 1 ? 10 : 2
    }
    guard isOperand(tokens[next]) else { return 0 }
    // What the text could have ended before: a literal, a closed string, a parenthesis.
    let before = index > 0 ? tokens[index - 1] : nil
    let isBehindLiteral = before.map { isLiteral($0) || $0.kind == .close } ?? true
    let isCall = tokens[next].kind == .function
    let right = isCall ? skipCall(tokens, next) : next + 1
    let position = skip(tokens, right, .close)
    guard kind(tokens, position) == .comparison || keyword(tokens, at: position) == .not else {
      // OR 1, at the end.
      if isLiteral(tokens[next]), isBehindLiteral, isAtEnd(tokens, right) {
        let isDirect = index == 1 || before?.kind == .close || tokens.last?.kind == .comment || tokens[next].isOpen
        if isBroken { return isDirect ? 10 : 4 }
        return right < tokens.count ? 10 : tokens[next].keyword == .bool && before?.kind == .number ? 7 : 0
      }
      return isCall && isBehindLiteral && (isBroken || before != nil) ? 4 : 0
    }
    var other = position + 1
    while other < tokens.count,
      tokens[other].kind == .comparison || tokens[other].keyword == .not || tokens[other].kind == .open
        || tokens[other].kind == .arithmetic || tokens[other].keyword == .any
    {
      other += 1
    }
    guard other < tokens.count else { return isBroken && isBehindLiteral ? 6 : 0 }
    let isLeftLiteral = isLiteral(tokens[next])
    let isRightLiteral = isLiteral(tokens[other])
    if isLeftLiteral, isRightLiteral { return isBehindLiteral || tokenizer.hasInlineComment ? 10 : 6 }
    if isCall { return isBehindLiteral ? 10 : 5 }
    if tokens[other].kind == .function, SQLWords.suspicious.contains(hash(tokens[other])) {
      return isBehindLiteral ? 10 : 5
    }
    if tokens[other].keyword == .select { return 10 }
    if isRightLiteral || isLeftLiteral {
      return isBroken && isBehindLiteral ? 10 : isBehindLiteral && before?.kind == .number ? 8 : 2
    }
    // The same word on both sides is always true.
    if tokens[next].kind == .word, tokens[other].kind == .word, hash(tokens[next]) == hash(tokens[other]) {
      return isBehindLiteral ? 10 : 5
    }
    return isBroken && isBehindLiteral ? 6 : 0
  }

  private func number(_ tokens: [SQLToken], _ index: Int) -> Int {
    // 1=1, 1'='1 and the like at the start: a condition without a word before it.
    guard index == 0, kind(tokens, 1) == .comparison, tokens.count >= 4, isLiteral(tokens[2]) else { return 0 }
    return tokens[3].kind == .comment || tokens[3].kind == .logic ? 7 : 0
  }

  // MARK: - Names, strings, comments

  private func name(_ tokens: [SQLToken], _ index: Int) -> Int {
    let token = tokens[index]
    if token.kind == .variable {
      let isSystem = Int(token.start) + 1 < text.count && text[Int(token.start) + 1] == 0x40
      return isSystem && token.end - token.start > 3 ? 7 : 0
    }
    let hash = hash(token)
    if SQLWords.catalogs.contains(hash) { return isBroken || kind(tokens, index + 1) == .dot ? 8 : 6 }
    guard token.kind == .function else { return 0 }
    if SQLWords.alarming.contains(hash) {
      // Alone it may be a line of someone's program.
      let before = index > 0 ? tokens[index - 1].kind : nil
      let isJoined =
        before == .logic || before == .arithmetic || before == .comma || before == .open || before == .comparison
      let isSelected = index > 0 && tokens[index - 1].keyword == .select
      if before == .word { return 2 }
      return isBroken || isJoined || isSelected || before == .number || before == .dot ? 10 : 6
    }
    guard SQLWords.suspicious.contains(hash) else { return 0 }
    let isBehindOperator = index > 0 && [.logic, .arithmetic, .comparison].contains(tokens[index - 1].kind)
    return isBroken && isBehindOperator ? 6 : isBehindOperator || isBroken ? 3 : 1
  }

  private func string(_ tokens: [SQLToken], _ index: Int) -> Int {
    guard isBroken, index == 0, !tokens[0].isOpen, tokens.count > 1 else { return 0 }
    let next = tokens[1]
    // '=' and '||' between the string that was closed and the one that the statement closes.
    if tokens.count == 3, tokens[2].kind == .string, tokens[2].isOpen {
      if next.kind == .comparison { return 10 }
      if next.kind == .logic || next.kind == .arithmetic { return text.count <= 8 ? 6 : 5 }
    }
    if next.kind == .logic, tokens.count >= 3, tokens[2].kind == .open, kind(tokens, 3) == .keyword { return 10 }
    return 0
  }

  private func comment(_ tokens: [SQLToken], _ index: Int) -> Int {
    guard index > 0 else { return 0 }
    let token = tokens[index]
    guard isBroken, !tokens[0].isOpen else {
      // 1-- and 1) #
      guard token.isOpen, tokens[0].kind == .number, text[Int(token.start)] != 0x23 else { return 0 }
      return tokens[1..<index].allSatisfy { $0.kind == .close } ? 6 : 0
    }
    // Everything between the broken string and the comment is what closes a statement.
    let between = tokens[1..<index]
    guard between.allSatisfy({ $0.kind == .close || $0.kind == .semicolon }) else { return 0 }
    return token.isOpen ? 10 : 5
  }
}
