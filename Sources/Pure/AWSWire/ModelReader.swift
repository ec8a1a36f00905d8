// Reads the text form of a service model. The text is generated and compiled in, so a fault in it is a programmer's
// error and traps; nothing from outside comes here.

import AWSCore

enum ModelReader {
  /// One declaration: words divided by single spaces, `%20` for a space inside one; `pat=` takes the rest of the line.
  private struct Line {
    var words: [Substring]
    var pattern: String?

    init(_ text: Substring) {
      var rest = text
      if let at = text.firstRange(of: " pat=") {
        pattern = String(text[at.upperBound...])
        rest = text[..<at.lowerBound]
      }
      words = rest.split(separator: " ", omittingEmptySubsequences: true)
    }

    func flag(_ name: String) -> Bool { words.dropFirst(2).contains { $0 == name } }

    func value(_ key: String) -> String? {
      for word in words where word.hasPrefix(key) && word.dropFirst(key.count).first == "=" {
        return unescaped(word.dropFirst(key.count + 1))
      }
      return nil
    }
  }

  private static func unescaped(_ text: Substring) -> String {
    text.contains("%") ? String(text).replacing("%20", with: " ") : String(text)
  }

  private static func lines(_ text: StaticString) -> [Substring] {
    text.withUTF8Buffer { String(decoding: $0, as: UTF8.self) }.split(separator: "\n")
  }

  static func header(_ text: StaticString) -> ServiceModel.Header {
    var header = ServiceModel.Header()
    // Only the first two lines; the rest is read when the service is first called.
    let start = text.withUTF8Buffer { buffer -> String in
      var newlines = 0
      var end = 0
      while end < buffer.count, newlines < 2 {
        if buffer[end] == 10 { newlines += 1 }
        end += 1
      }
      return String(decoding: buffer[..<end], as: UTF8.self)
    }
    for text in start.split(separator: "\n") {
      let line = Line(text)
      if line.words[0] == "service" {
        header.name = String(line.words[1])
        header.serviceID = line.value("id") ?? ""
        header.endpointPrefix = line.value("endpoint") ?? ""
        header.signingName = line.value("signing") ?? header.endpointPrefix
        header.targetPrefix = line.value("target") ?? ""
        header.jsonVersion = line.value("json") ?? "1.1"
        header.protocols = (line.value("protocols") ?? "").split(separator: ",").map {
          guard let known = WireProtocol(rawValue: String($0)) else { preconditionFailure("protocol \($0)") }
          return known
        }
        header.apiVersion = line.value("version") ?? ""
        header.xmlNamespace = line.value("ns") ?? ""
        header.awsQueryCompatible = line.flag("querycompatible")
      } else {
        precondition(line.words[0] == "known")
        header.knownOperations = Set(line.words.dropFirst().map(String.init))
      }
    }
    return header
  }

  static func body(_ text: StaticString) -> ([String: OperationModel], [Shape]) {
    let all = lines(text).dropFirst(2).map { Line($0) }
    var index: [Substring: Int] = [:]
    for line in all where line.words[0] != "op" && line.words[0] != "m" { index[line.words[1]] = index.count }
    func shape(_ name: Substring) -> Int {
      guard let found = index[name] else { preconditionFailure("the model names no shape \(name)") }
      return found
    }
    var operations: [String: OperationModel] = [:]
    var shapes: [Shape] = []
    var members: [Member] = []
    var open: Shape?
    func close() {
      if var shape = open {
        shape.kind = .structure(members)
        shapes.append(shape)
      }
      open = nil
      members = []
    }
    for line in all {
      switch line.words[0] {
      case "op":
        var operation = OperationModel(
          name: String(line.words[1]), method: String(line.words[2]), uri: String(line.words[3]))
        if line.words[4] != "-" { operation.input = shape(line.words[4]) }
        if line.words[5] != "-" { operation.output = shape(line.words[5]) }
        operation.resultWrapper = line.value("wrapper")
        operation.status = line.value("status").flatMap { Int($0) } ?? 200
        operation.errors = line.value("errors")?.split(separator: ",").map(String.init) ?? []
        operation.inputLocationName = line.value("inname")
        operation.inputNamespace = line.value("inns")
        operations[operation.name] = operation
      case "m":
        members.append(member(line, shape: shape(line.words[2])))
      case "struct":
        close()
        open = structure(line)
      default:
        close()
        shapes.append(simple(line, shape: shape))
      }
    }
    close()
    return (operations, shapes)
  }

  private static func member(_ line: Line, shape: Int) -> Member {
    let locationName = line.value("n")
    var member = Member(
      name: String(line.words[1]), shape: shape, wireName: locationName ?? String(line.words[1]),
      locationName: locationName)
    member.isRequired = line.flag("!")
    member.location = line.value("l").flatMap { Member.Location(rawValue: $0) } ?? .body
    member.queryName = line.value("q")
    member.isFlattened = line.flag("flat")
    member.isAttribute = line.flag("attr")
    member.isStreaming = line.flag("stream")
    member.isIdempotencyToken = line.flag("token")
    member.timestampFormat = line.value("ts").flatMap { TimestampFormat(rawValue: $0) }
    member.xmlNamespace = line.value("ns")
    return member
  }

  private static func structure(_ line: Line) -> Shape {
    var shape = Shape(name: String(line.words[1]), kind: .structure([]))
    shape.payload = line.value("payload")
    shape.isSensitive = line.flag("sensitive")
    shape.isUnion = line.flag("union")
    shape.xmlNamespace = line.value("ns")
    if let code = line.value("code") {
      shape.error = .init(
        code: code, status: line.value("status").flatMap { Int($0) } ?? 400, isServerFault: line.flag("fault"))
    }
    return shape
  }

  private static func simple(_ line: Line, shape: (Substring) -> Int) -> Shape {
    let kind: Shape.Kind
    switch line.words[0] {
    case "list": kind = .list(element: shape(line.words[2]))
    case "map": kind = .map(key: shape(line.words[2]), value: shape(line.words[3]))
    case "str": kind = .string
    case "int": kind = .integer
    case "dbl": kind = .double
    case "bool": kind = .boolean
    case "blob": kind = .blob
    case "ts": kind = .timestamp
    default: preconditionFailure("declaration \(line.words[0])")
    }
    var result = Shape(name: String(line.words[1]), kind: kind)
    result.minimum = line.value("min").flatMap { Double($0) }
    result.maximum = line.value("max").flatMap { Double($0) }
    result.allowed = line.value("enum")?.split(separator: "|").map(String.init) ?? []
    result.pattern = line.pattern
    result.isSensitive = line.flag("sensitive")
    result.isFlattened = line.flag("flat")
    result.elementName = line.value("n") ?? line.value("k")
    result.valueName = line.value("v")
    result.timestampFormat = line.value("ts").flatMap { TimestampFormat(rawValue: $0) }
    return result
  }
}
