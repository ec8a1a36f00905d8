// A web ACL with every transformation, detector and part of a request, in front of whatever comes, and a log that tells what
// the rules found.
import HTTPWire
import WebACL

enum WebACLChecks {
  private static let fields: [WebACL.Field] = [
    .method, .uriPath, .queryString, .header("x-a"), .queryArgument("a"), .allQueryArguments,
    .headers(.all, .all, .proceed), .cookies(.all, .values, .proceed), .headerOrder(.proceed), .body(.proceed),
    .jsonBody(.all, .all, .proceed, .partly), .jsonBody(.only(["/a/0", "/b"]), .values, .proceed, .asText),
    .uriFragment(fallback: false),
  ]

  /// Each transformation twice in a row with another one, so that one reads what another left.
  private static let rules: [WebACL.Rule] = {
    let kinds = WebACL.Transformation.allCases
    var statements: [WebACL.Statement] = []
    for (index, field) in fields.enumerated() {
      let plain = WebACL.Inspection(field)
      let changed = WebACL.Inspection(
        field, [kinds[index % kinds.count], kinds[(index * 7 + 3) % kinds.count], .urlDecodeUnicode])
      statements += [
        .sqlInjection(plain, isSensitive: true), .sqlInjection(changed, isSensitive: false),
        .crossSiteScripting(plain), .crossSiteScripting(changed),
        .byteMatch(changed, .containsWord, Array("union".utf8)), .regexMatch(changed, pattern: "(a|b)*[0-9]{2,3}$"),
        .size(changed, .above, 10),
      ]
    }
    for kind in kinds {
      statements.append(.byteMatch(WebACL.Inspection(.body(.match), [kind]), .endsWith, [0x61]))
    }
    statements.append(.ipSet(id: "set", WebACL.ForwardedIP(header: "x-forwarded-for", fallback: true, position: .any)))
    statements.append(
      .rate(
        .init(limit: 10, window: 60, keys: [.header("x-a", [.lowercase]), .cookie("a", []), .queryArgument("a", [])]))
    )
    return statements.enumerated().map { index, statement in
      WebACL.Rule(name: "r\(index)", priority: index, statement, .count(), labels: ["l\(index)"])
    }
  }()

  /// - Parameter hides: nothing that rules find may be told.
  private static func makeEvaluator(hides: Bool) -> WebACLEvaluator {
    var acl = WebACL(id: "acl", rules: rules)
    acl.logging = WebACL.Logging(redactsPath: hides, redactsQuery: hides, redactsMethod: hides)
    if hides { acl.protections = [.init(.header), .init(.cookie), .init(.body)] }
    acl.ipSets = [WebACL.IPSet(id: "set", addresses: ["192.0.2.0/24", "2001:db8::/32"])]
    switch Result(catching: { () throws(WebACLError) in try CompiledWebACL(acl) }) {
    case .success(let compiled): return WebACLEvaluator(compiled)
    case .failure(let error): preconditionFailure(error.description)
    }
  }

  private static let evaluators = Pool { makeEvaluator(hides: false) }
  private static let hiding = Pool { makeEvaluator(hides: true) }

  private static func judge(_ evaluator: WebACLEvaluator, hides: Bool) {
    precondition(!evaluator.evaluate(time: 1, resource: "lb").isBlocked, "rules that count block")
    let records = evaluator.takeRecords()
    precondition(records.lines.count + Int(records.lostLines) == 1, "not one line for a request")
    for line in records.lines { check(Array(line.text.utf8), hides: hides) }
  }

  private static let begin = Array(#","matchedData":["#.utf8)
  private static let names = Array(#""HEADER_ORDER""#.utf8)

  /// Findings are short, and told as they may be. No text of a client can look like the member's name, for quotes are
  /// escaped.
  private static func check(_ line: [UInt8], hides: Bool) {
    var index = 0
    while index + begin.count <= line.count {
      guard line[index] == 0x2C, line[index..<index + begin.count].elementsEqual(begin) else {
        index += 1
        continue
      }
      let isOpen = !hides || line[..<index].suffix(names.count).elementsEqual(names)
      index += begin.count
      var pieces = 0
      while line[index] != 0x5D {
        if line[index] == 0x2C { index += 1 }
        precondition(line[index] == 0x22, "no text")
        let start = index + 1
        index = start
        while line[index] != 0x22 { index += line[index] == 0x5C ? 2 : 1 }
        // 32 bytes, each of which may be written with six.
        precondition(index - start <= 32 * 6, "a long piece")
        precondition(isOpen || line[start..<index].elementsEqual("REDACTED".utf8), "a piece that is to be hidden")
        index += 1
        pieces += 1
      }
      precondition((1...5).contains(pieces), "no piece, or too many")
    }
  }

  static func run(_ bytes: UnsafeBufferPointer<UInt8>) {
    guard let base = bytes.baseAddress, !bytes.isEmpty else { return }
    var head = MessageHead()
    let hides = bytes.count & 2 == 2
    let pool = hides ? hiding : evaluators
    let evaluator = pool.take()
    defer { pool.give(evaluator) }
    let request = evaluator.request
    guard case .complete(let length) = head.parseRequest(base, bytes.count) else {
      // No head: all of it is the body of a request without fields.
      let slash = StaticString("/")
      request.begin(
        source: SourceAddress(v4: 1), method: bytes, path: ByteView(start: slash.utf8Start, count: 1), query: bytes)
      request.setBody(bytes, isCut: false)
      return judge(evaluator, hides: hides)
    }
    let target = ByteView(rebasing: bytes[head.target.start..<head.target.end])
    let mark = target.firstIndex(of: 0x3F) ?? target.count
    request.begin(
      source: SourceAddress(v4: 1), method: ByteView(rebasing: bytes[head.method.start..<head.method.end]),
      path: ByteView(rebasing: target[..<mark]), query: ByteView(rebasing: target[min(target.count, mark + 1)...]))
    for index in 0..<head.fieldCount {
      let field = head.fields[index]
      let name = Int(field.start)..<Int(field.start + field.nameLength)
      let value = Int(field.valueStart)..<Int(field.valueStart + field.valueLength)
      request.add(name: ByteView(rebasing: bytes[name]), value: ByteView(rebasing: bytes[value]))
    }
    request.setBody(ByteView(rebasing: bytes[length...]), isCut: bytes.count & 1 == 1)
    judge(evaluator, hides: hides)
  }
}
