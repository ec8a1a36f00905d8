// What SQL injection and scripting rules found in a request, as log lines tell it. It is looked for once more when a
// line is written, only in rules that matched: judging costs nothing more, and nobody pays who has no log.

/// One finding of a rule.
struct MatchDetail: Equatable {
  /// `SQL_INJECTION` or `XSS`.
  var condition: String
  /// Of SQL injection: the statement's level, `HIGH` or `LOW`.
  var sensitivity: String?
  /// The part of the request, as AWS names it: `HEADER`, `URI`, `BODY` …
  var location: String
  /// The pieces that were taken for an attack, after the rule's transformations; masked where the part is.
  var data: [String]
  /// The name of the header, cookie or argument; empty where the part has none.
  var fieldName: String

  /// Findings of one rule that are told, pieces of one finding, bytes of a piece and of a name. AWS does not say how
  /// much it tells; these keep a line short whatever the client sends.
  static let findingsMax = 16
  static let piecesMax = 5
  static let pieceBytesMax = 32
  static let nameBytesMax = 64
}

extension WebACLEvaluator {
  /// What a rule that matched the request has found. Labels and parts must still be those of the request.
  func details(_ statement: CompiledWebACL.CompiledStatement, _ mask: LogMask) -> [MatchDetail] {
    var found: [MatchDetail] = []
    explain(statement, mask, &found)
    return found
  }

  private func explain(
    _ statement: CompiledWebACL.CompiledStatement, _ mask: LogMask, _ out: inout [MatchDetail]
  ) {
    guard out.count < MatchDetail.findingsMax else { return }
    switch statement {
    case .sqlInjection(let node, let isSensitive):
      tell(node, "SQL_INJECTION", isSensitive ? "HIGH" : "LOW", mask, &out) { sql.pieces($0, isSensitive: isSensitive) }
    case .crossSiteScripting(let node): tell(node, "XSS", nil, mask, &out) { script.pieces($0) }
    case .and(let inner): for part in inner where part.hasDetector { explain(part, mask, &out) }
    case .or(let inner):
      for part in inner where part.hasDetector && holds(part) { explain(part, mask, &out) }
    case .rate(let index): if let scopeDown = acl.rates[index].scopeDown { explain(scopeDown, mask, &out) }
    default: break
    }
  }

  /// Whether a part of a statement that matched is one of the reasons; counts nothing again.
  private func holds(_ statement: CompiledWebACL.CompiledStatement) -> Bool {
    switch statement {
    case .rate(let index): trail.rates.contains { $0.rule == index }
    case .and(let inner): inner.allSatisfy(holds)
    case .or(let inner): inner.contains(where: holds)
    case .not(let inner): !holds(inner)
    default: matches(statement)
    }
  }

  /// Adds the first finding in a node's values.
  private func tell(
    _ node: Int, _ condition: String, _ sensitivity: String?, _ mask: LogMask, _ out: inout [MatchDetail],
    _ search: (ByteView) -> [Range<Int>]
  ) {
    let found = read(node)
    // Too large or no JSON: the statement says so by itself, and nothing was found.
    guard found.verdict == nil else { return }
    for (index, view) in found.views.enumerated() {
      let pieces = search(view)
      if pieces.isEmpty { continue }
      var root = node
      while acl.nodes[root].parent >= 0 { root = acl.nodes[root].parent }
      let field = acl.nodes[root].field
      let name = FieldReader.name(field, request, index)
      let texts = pieces.prefix(MatchDetail.piecesMax).map { piece in
        view.piece(piece.lowerBound, min(piece.upperBound, piece.lowerBound + MatchDetail.pieceBytesMax)).text
      }
      let values = read(root).views
      out.append(
        MatchDetail(
          condition: condition, sensitivity: sensitivity, location: field.location,
          data: mask.match(field, name, texts, of: index < values.count ? values[index] : view),
          fieldName: mask.name(field, String(name.prefix(MatchDetail.nameBytesMax)))))
      return
    }
  }
}

extension CompiledWebACL.CompiledStatement {
  /// Whether what it finds is told.
  fileprivate var hasDetector: Bool {
    switch self {
    case .sqlInjection, .crossSiteScripting, .rate: true
    case .and(let inner), .or(let inner): inner.contains(where: \.hasDetector)
    default: false
    }
  }
}

extension WebACL.Field {
  /// The name of the part in log lines. AWS documents HEADER and shows URI, BODY, QUERY_STRING, METHOD and
  /// ALL_QUERY_ARGS; the others are made like them.
  var location: String {
    switch self {
    case .method: "METHOD"
    case .uriPath: "URI"
    case .queryString: "QUERY_STRING"
    case .header, .headers: "HEADER"
    case .queryArgument: "SINGLE_QUERY_ARG"
    case .allQueryArguments: "ALL_QUERY_ARGS"
    case .cookies: "COOKIE"
    case .headerOrder: "HEADER_ORDER"
    case .body: "BODY"
    case .jsonBody: "JSON_BODY"
    case .ja3: "JA3_FINGERPRINT"
    case .ja4: "JA4_FINGERPRINT"
    case .uriFragment: "URI_FRAGMENT"
    }
  }
}
