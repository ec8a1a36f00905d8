// The parts of a request that rules look at.

/// What was found of a part.
struct FieldValues {
  var views: ContiguousArray<ByteView> = []
  /// More than what is looked at, or not what it should be: what the statement then answers.
  var verdict: Bool?
}

enum FieldReader {
  /// Bytes and number of header lines, and of cookies, that are looked at.
  private static let partBytesMax = 8 << 10
  private static let partCountMax = 200

  static func read(_ field: WebACL.Field, _ request: WebRequest, _ arena: Arena, _ out: inout FieldValues) {
    out.views.removeAll(keepingCapacity: true)
    out.verdict = nil
    switch field {
    case .method: out.views.append(request.method)
    case .uriPath: out.views.append(request.path)
    case .queryString: out.views.append(request.query)
    case .header(let name):
      let name = Array(name.utf8)
      for field in request.fields where field.name.equalsIgnoringCase(name) { out.views.append(field.value) }
    case .queryArgument(let name):
      let name = Array(name.utf8)
      arguments(request.query) { if $0.equalsIgnoringCase(name) { out.views.append($1) } }
    case .allQueryArguments: arguments(request.query) { out.views.append($1) }
    case .headers(let selection, let scope, let oversize):
      parts(selection, scope, oversize, &out) { take in for field in request.fields { take(field.name, field.value) } }
    case .cookies(let selection, let scope, let oversize):
      parts(selection, scope, oversize, &out) { take in cookies(request, take) }
    case .headerOrder(let oversize): headerOrder(request, oversize, arena, &out)
    case .body(let oversize):
      if request.isBodyCut, oversize != .proceed {
        out.verdict = oversize == .match
      } else {
        out.views.append(request.body)
      }
    case .jsonBody(let selection, let scope, let oversize, let invalid):
      json(request, selection, scope, oversize, invalid, arena, &out)
    case .ja3(let fallback): fingerprint(request.fingerprints?.ja3, fallback, arena, &out)
    case .ja4(let fallback): fingerprint(request.fingerprints?.ja4, fallback, arena, &out)
    case .uriFragment(let fallback):
      // Clients do not send fragments; where one comes it stands at the end of the target.
      if let mark = request.query.lastIndex(of: 0x23) {
        out.views.append(request.query.piece(mark + 1, request.query.count))
      } else if let mark = request.path.lastIndex(of: 0x23) {
        out.views.append(request.path.piece(mark + 1, request.path.count))
      } else {
        out.verdict = fallback
      }
    }
  }

  private static func fingerprint(_ text: String?, _ fallback: Bool, _ arena: Arena, _ out: inout FieldValues) {
    if let text { out.views.append(arena.copy(Array(text.utf8))) } else { out.verdict = fallback }
  }

  /// The name that a part's value with this number has, in the order of `read`; empty where values have none.
  static func name(_ field: WebACL.Field, _ request: WebRequest, _ index: Int) -> String {
    var found = FieldValues()
    switch field {
    case .header(let name), .queryArgument(let name): return name
    case .allQueryArguments: arguments(request.query) { name, _ in found.views.append(name) }
    case .headers(let selection, let scope, let oversize):
      return read(.headers(selection, .keys, oversize), request, scope == .all ? index / 2 : index)
    case .cookies(let selection, let scope, let oversize):
      return read(.cookies(selection, .keys, oversize), request, scope == .all ? index / 2 : index)
    default: return ""
    }
    return index < found.views.count ? found.views[index].text : ""
  }

  private static func read(_ field: WebACL.Field, _ request: WebRequest, _ index: Int) -> String {
    var found = FieldValues()
    // Headers and cookies are read in place.
    read(field, request, Arena(), &found)
    return index < found.views.count ? found.views[index].text : ""
  }

  /// Whether a part that was read is larger than what is looked at, and how AWS names it then.
  static func oversize(_ field: WebACL.Field, _ request: WebRequest) -> String? {
    switch field {
    case .body: return request.isBodyCut ? "REQUEST_BODY" : nil
    case .jsonBody: return request.isBodyCut ? "REQUEST_JSON_BODY" : nil
    case .headers, .headerOrder:
      let bytes = request.fields.reduce(0) { $0 + $1.name.count + $1.value.count }
      return bytes > partBytesMax || request.fields.count > partCountMax ? "REQUEST_HEADERS" : nil
    case .cookies:
      var (bytes, count) = (0, 0)
      cookies(request) { name, value in
        bytes += name.count + value.count
        count += 1
      }
      return bytes > partBytesMax || count > partCountMax ? "REQUEST_COOKIES" : nil
    default: return nil
    }
  }

  /// Names and values of a query, as they stand there.
  static func arguments(_ query: ByteView, _ take: (ByteView, ByteView) -> Void) {
    var start = 0
    while start < query.count {
      var end = start
      var equals = -1
      while end < query.count, query[end] != 0x26 {
        if equals < 0, query[end] == 0x3D { equals = end }
        end += 1
      }
      if end > start {
        take(query.piece(start, equals < 0 ? end : equals), query.piece(equals < 0 ? end : equals + 1, end))
      }
      start = end + 1
    }
  }

  private static let cookieName = Array("cookie".utf8)

  static func cookies(_ request: WebRequest, _ take: (ByteView, ByteView) -> Void) {
    for field in request.fields where field.name.equalsIgnoringCase(cookieName) {
      let line = field.value
      var start = 0
      while start < line.count {
        while start < line.count, isSpace(line[start]) || line[start] == 0x3B { start += 1 }
        var end = start
        var equals = -1
        while end < line.count, line[end] != 0x3B {
          if equals < 0, line[end] == 0x3D { equals = end }
          end += 1
        }
        if end > start {
          take(line.piece(start, equals < 0 ? end : equals), line.piece(equals < 0 ? end : equals + 1, end))
        }
        start = end + 1
      }
    }
  }

  private static func parts(
    _ selection: WebACL.Selection, _ scope: WebACL.Scope, _ oversize: WebACL.Oversize, _ out: inout FieldValues,
    _ each: ((ByteView, ByteView) -> Void) -> Void
  ) {
    let (names, isExclusion): ([[UInt8]], Bool) =
      switch selection {
      case .all: ([], true)
      case .only(let names): (names.map { Array($0.lowercased().utf8) }, false)
      case .except(let names): (names.map { Array($0.lowercased().utf8) }, true)
      }
    var bytes = 0
    var count = 0
    var isCut = false
    each { name, value in
      bytes += name.count + value.count
      count += 1
      if bytes > partBytesMax || count > partCountMax {
        isCut = true
        return
      }
      if names.contains(where: { name.equalsIgnoringCase($0) }) == isExclusion { return }
      if scope != .values { out.views.append(name) }
      if scope != .keys { out.views.append(value) }
    }
    if isCut, oversize != .proceed {
      out.views.removeAll(keepingCapacity: true)
      out.verdict = oversize == .match
    }
  }

  private static func headerOrder(
    _ request: WebRequest, _ oversize: WebACL.Oversize, _ arena: Arena, _ out: inout FieldValues
  ) {
    let total = request.fields.reduce(0) { $0 + $1.name.count + 1 }
    let isCut = total > partBytesMax || request.fields.count > partCountMax
    if isCut, oversize != .proceed {
      out.verdict = oversize == .match
      return
    }
    var writer = TextWriter(arena, min(total, partBytesMax + 1))
    for (index, field) in request.fields.prefix(partCountMax).enumerated() {
      guard writer.count + field.name.count + 1 <= partBytesMax else { break }
      if index > 0 { writer.append(0x3A) }
      for byte in field.name { writer.append(lowercased(byte)) }
    }
    out.views.append(writer.view)
  }

  private static func json(
    _ request: WebRequest, _ selection: WebACL.Selection, _ scope: WebACL.Scope, _ oversize: WebACL.Oversize,
    _ invalid: WebACL.InvalidJSON, _ arena: Arena, _ out: inout FieldValues
  ) {
    if request.isBodyCut, oversize != .proceed {
      out.verdict = oversize == .match
      return
    }
    guard !request.body.isEmpty else { return }
    var pointers: [String]?
    if case .only(let paths) = selection { pointers = paths }
    var scanner = JSONScanner(request.body, pointers: pointers, scope: scope, arena: arena)
    let isValid = scanner.scan() || request.isBodyCut
    if !isValid {
      switch invalid {
      case .match, .noMatch:
        out.verdict = invalid == .match
        return
      case .asText:
        out.views.append(request.body)
        return
      case .partly: break
      }
    }
    out.views.append(contentsOf: scanner.values)
  }
}
